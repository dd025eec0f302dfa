// The file that came back: where it is, how much of it was changed, what to look at, what was left.

import { el } from "../dom.js";
import { number, say, sayCount } from "../i18n.js";
import { placeOf } from "../documents/places.js";
import { sentence } from "./notes.js";

/** What stands in an answer's place when the document's file itself was changed. */
export function madeOf({ document, name, changed, of, said, left }) {
  const href = `api/documents/${document}/file`;
  return el(
    "div",
    { class: "made" },
    el("p", {}, el("a", { href, download: "", class: "made-file", dir: "auto" }, say("made_file", { name }))),
    el("p", {}, sayCount("made_changed", changed, { of: number(of) })),
    listOf("made_said", said, sentence),
    listOf("made_left", left, ({ code }) => say(`left_${code}`)),
  );
}

function listOf(title, items, worded) {
  if (!items.length) return null;
  const lines = items.map((one) => {
    const place = placeOf(one.anchor) || paragraph(one.anchor);
    return el("li", { class: "minded", dir: "auto" }, place ? say("made_at", { place, what: worded(one) }) : worded(one));
  });
  return el("details", { open: items.length < 6 }, el("summary", {}, say(title, { count: number(items.length) })), el("ul", { class: "action-notes" }, lines));
}

function paragraph({ paragraph: at }) {
  return at && say("made_paragraph", { number: number(at) });
}
