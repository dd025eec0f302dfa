// What parts of the page show of a message, between its text and what is said about it.

import { emit } from "./store.js";

const parts = [];

/** Have `draw(message)` (null: nothing) shown with every message that is in sight, drawn again when
 * the message ends or its making is elsewhere (`message.progress`). */
export function addToMessage(draw) {
  parts.push(draw);
  emit("parts");
}

/** The elements that belong to a message. */
export function partsOf(message) {
  return parts.map((draw) => draw(message)).filter(Boolean);
}
