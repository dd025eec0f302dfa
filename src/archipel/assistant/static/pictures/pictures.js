// Pictures of a conversation: those given with a question, and those that a model made.

import { el } from "../dom.js";
import { addWords, say } from "../i18n.js";
import { addToMessage } from "../message_parts.js";
import { store } from "../store.js";
import { askAgain } from "../talk.js";
import { addMessageAction } from "../toolbar.js";
import { begin } from "./given.js";

const made = ({ role, facts }) => role === "assistant" && facts.pictures?.length > 0;

document.head.append(el("link", { rel: "stylesheet", href: new URL("pictures.css", import.meta.url).href }));
await addWords("pictures");
begin();
addToMessage(drawn);
addMessageAction({
  icon: "M4 7a6 6 0 0111-1M16 13a6 6 0 01-11 1M15 2v4h-4M5 18v-4h4",
  word: "picture_vary",
  fits: (message) => made(message) && !store.readOnly,
  run: ({ parent, model }) => askAgain(parent, [model]),
});
addMessageAction({ icon: "M10 3v9M6 8l4 4 4-4M4 16h12", word: "picture_download", fits: made, run: download });

function drawn(message) {
  const { facts, role } = message;
  if (!facts.pictures?.length) return null;
  const asked = store.messages.get(message.parent)?.text ?? "";
  const alt = role === "user" ? say("picture_given") : say("picture_of", { what: asked });
  const each = facts.pictures.map(({ id, width, height }) =>
    el("img", { src: address(id), alt, width, height, loading: "lazy" }),
  );
  return el("div", { class: `pictures ${role === "user" ? "given" : "made"}` }, each);
}

function download({ facts }) {
  for (const { id } of facts.pictures) el("a", { href: `${address(id)}?download`, download: "" }).click();
}

function address(id) {
  return store.link ? `api/shared/${store.link}/pictures/${id}` : `api/pictures/${id}`;
}
