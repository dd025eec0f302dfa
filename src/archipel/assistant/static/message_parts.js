// What parts of the page show of a message, between its text and what is said about it.

import { emit } from "./store.js";

const parts = [];
const changes = [];

/** Have `draw(message)` (null: nothing) shown with every message that is in sight, drawn again when
 * the message ends or its making is elsewhere (`message.progress`). */
export function addToMessage(draw) {
  parts.push(draw);
  emit("parts");
}

/** Have `change(message)` (null: nothing) give what is drawn of a whole answer: `text` as Markdown in
 * the message's place, then `finish(body)` on the element that it is drawn in. */
export function changeText(change) {
  changes.push(change);
  emit("parts");
}

/** What is drawn of a whole answer. */
export function textOf(message) {
  for (const change of changes) {
    const changed = change(message);
    if (changed) return changed;
  }
  return { text: message.text, finish: () => {} };
}

/** The elements that belong to a message. */
export function partsOf(message) {
  return parts.map((draw) => draw(message)).filter(Boolean);
}
