// The text of a document that a question with an action is about: how much of it there is.

import { el } from "../dom.js";
import { number, say, sayCount } from "../i18n.js";

/** How much of the document was taken, and what was, for who opens it. */
export function takenText({ text, facts: { taken } }) {
  const said = taken.characters < taken.all && !taken.file ? partOf(taken) : say("taken_whole", counted(taken));
  const body = el("p", { dir: "auto" });
  const once = { once: true }; // what nobody opens is not laid out
  const details = el("details", { class: "taken-text" }, el("summary", { dir: "auto" }, said), body);
  details.addEventListener("toggle", () => (body.textContent = text), once);
  return details;
}

/** What is to be minded of a document in place of a text; of a text, nothing. */
export function notTaken(taken) {
  if (!taken) return [];
  const { name, characters, all, unread } = taken;
  const parts = unread > 0 && sayCount("taken_unread", unread, { name });
  return [characters < all && partOf(taken), parts].filter(Boolean);
}

function partOf(taken) {
  return say("taken_part", counted(taken));
}

function counted({ name, characters, all }) {
  return { name, characters: number(characters), all: number(all) };
}
