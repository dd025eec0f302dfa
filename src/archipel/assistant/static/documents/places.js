// Where something stands in a document, in words.

import { number, say } from "../i18n.js";

/** An anchor in words; empty where the file has only paragraphs. */
export function placeOf(anchor) {
  const { page, sheet, cells, slide, lines, part = [] } = anchor;
  const found = [
    ...part,
    page && say("place_page", { number: number(page) }),
    sheet && [sheet, cells].filter(Boolean).join(" "),
    slide && say("place_slide", { number: number(slide) }),
    lines && say("place_line", { number: number(lines[0]) }),
  ];
  return found.filter(Boolean).join(", ");
}

/** A citation's document and place. */
export function sourceOf({ name, anchor }) {
  return [name, placeOf(anchor)].filter(Boolean).join(", ");
}
