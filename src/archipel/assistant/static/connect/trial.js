// A test: the assistant asks the service something short, and what comes back is shown.

import { send } from "../api.js";
import { announce, el, problem } from "../dom.js";
import { number, say } from "../i18n.js";

/** A button that tests (`what` is models, fill or chat) for what is called `label`, and its result. */
export function trialPart(what, model, label) {
  const result = el("div", { class: "result" });
  const name = say("connect_try_of", { label });
  const attributes = { type: "button", class: "small", "aria-label": name, onclick: run };
  let running = false;
  return el("div", { class: "trial" }, el("button", attributes, say("connect_try")), result);

  async function run() {
    if (running) return;
    running = true;
    result.replaceChildren(el("p", {}, say("connect_trying")));
    announce("connect_trying");
    try {
      const answer = await send("POST", "connect/try", { what, model: model ?? "" });
      result.replaceChildren(answered(answer));
      announce("connect_answers", { seconds: seconds(answer) });
    } catch (error) {
      result.replaceChildren(problem(error, run));
    } finally {
      running = false;
    }
  }
}

function answered({ text, seconds: taken }) {
  const said = text.trim()
    ? el("code", { dir: "auto" }, text.trim())
    : el("span", {}, say("connect_empty"));
  return el("p", { class: "good" }, say("connect_answers", { seconds: seconds({ seconds: taken }) }), " ", said);
}

function seconds({ seconds: taken }) {
  return number(taken, { style: "unit", unit: "second", maximumFractionDigits: 2 });
}
