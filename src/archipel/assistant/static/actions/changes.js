// What an action changed in a person's text, change by change. Pure.

import { diffWords } from "../render/diff.js";

/** The text as a list of {same} and {before, after}, in order. */
export function changesOf(before, after) {
  const found = [];
  for (const { op, text } of diffWords(before, after)) {
    const last = found.at(-1);
    if (op === "same") found.push({ same: text });
    else if (op === "ins" && last?.after === "") last.after = text;
    else found.push(op === "del" ? { before: text, after: "" } : { before: "", after: text });
  }
  return found;
}

/** The text with all changes but those whose places in the list are in the set `refused`. */
export function textWith(changes, refused) {
  return changes
    .map(({ same, before, after }, place) => same ?? (refused.has(place) ? before : after))
    .join("");
}
