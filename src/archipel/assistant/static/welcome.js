// What an empty conversation shows.

import { askQuestion } from "./composer.js";
import { $, el } from "./dom.js";
import { say } from "./i18n.js";
import { on, store } from "./store.js";

const suggestions = ["write", "explain", "ideas", "code"];

/** Show it whenever the conversation is empty. */
export function begin() {
  $("#suggestions").append(...suggestions.map(suggestion));
  on("branch", () => ($("#welcome").hidden = store.messages.size > 0 || store.readOnly));
}

function suggestion(name) {
  const title = el("strong", {}, say(`suggestion_${name}_title`));
  const text = say(`suggestion_${name}`);
  const ask = () => askQuestion(text);
  return el("li", {}, el("button", { type: "button", onclick: ask }, title, el("span", {}, text)));
}
