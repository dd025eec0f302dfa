// What an answer cites: chips in its text where the server found the words in a document, and the
// sources below. What looks like a mark elsewhere stays text.

import { el } from "../dom.js";
import { say, sayCount } from "../i18n.js";
import { openBeside } from "../panels.js";
import { sourceOf } from "./places.js";

const [opens, closes] = ["\ue000", "\ue001"]; // around a chip's number in the Markdown
const guards = /[\ue000\ue001]/g;
const chipPattern = /\ue000(\d+)\ue001/;

/** The text of an answer that cites, and what puts the chips into it; null for others. */
export function citedText({ text, facts }) {
  if (!facts.marks?.length) return null;
  return { text: guarded([...text], facts.marks), finish };

  function finish(body) {
    const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) if (walker.currentNode.data.includes(opens)) found.push(walker.currentNode);
    for (const node of found) node.replaceWith(...withChips(node.data, facts.citations));
  }
}

/** The text, of code points, with guarded numbers where the marks are. */
function guarded(signs, marks) {
  let written = "";
  let done = 0;
  for (const [start, end, mark] of marks) {
    written += signs.slice(done, start).join("").replace(guards, "") + opens + mark + closes;
    done = end;
  }
  return written + signs.slice(done).join("").replace(guards, "");
}

function withChips(text, citations) {
  return text.split(new RegExp(chipPattern, "g")).map((piece, at) => (at % 2 ? chip(citations[piece - 1]) : piece));
}

function chip(citation) {
  const label = say("source_number", { number: citation.mark, source: sourceOf(citation) });
  const attributes = { type: "button", class: "citation", "aria-label": label, title: label };
  return el("button", { ...attributes, onclick: () => openBeside("source", citation) }, String(citation.mark));
}

/** The sources of an answer from documents, and what is to be said of it; null for others. */
export function underAnswer({ facts, status }) {
  if (!facts.citations || status === "growing") return null;
  const { citations, unverified, absent, nearest = [] } = facts;
  return el(
    "div",
    { class: "sources" },
    absent && el("p", { class: "notice" }, say("documents_absent")),
    unverified > 0 && el("p", { class: "notice" }, sayCount("unverified", unverified)),
    !citations.length && !absent && el("p", { class: "notice" }, say("nothing_quoted")),
    citations.length > 0 && list("sources", citations),
    nearest.length > 0 && [el("p", {}, say("nearest_explained")), list("nearest", nearest)],
  );
}

function list(word, citations) {
  const item = (citation) =>
    el(
      "li",
      {},
      el("q", { dir: "auto" }, citation.quote),
      " ",
      el("button", { type: "button", class: "link", onclick: () => openBeside("source", citation) }, sourceOf(citation)),
    );
  return el("ol", { "aria-label": say(word) }, citations.map(item));
}
