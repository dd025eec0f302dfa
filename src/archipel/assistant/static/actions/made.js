// The file that came back: where it is, how much of it was changed, what to look at, what was left.

import { call } from "../api.js";
import { button, el, problem } from "../dom.js";
import { number, say, sayCount } from "../i18n.js";
import { placeOf } from "../documents/places.js";
import { sentence } from "./notes.js";

/** What stands in an answer's place when the document's file itself was changed. */
export function madeOf({ document, name, changed, of, said, left }, taken) {
  const href = `api/documents/${document}/file`;
  return el(
    "div",
    { class: "made" },
    el("p", {}, el("a", { href, download: "", class: "made-file", dir: "auto" }, say("made_file", { name }))),
    el("p", {}, sayCount("made_changed", changed, { of: number(of) })),
    listOf("made_said", said, sentence),
    listOf("made_left", left, ({ code }) => say(`left_${code}`)),
    /\.(docx|pptx|xlsx|pdf)$/i.test(name) && pagesOf([taken, { document, name }]),
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

/** The pages of the old and the new file side by side, for who opens them. */
function pagesOf(files) {
  const sides = files.map((file) => new Side(file));
  const at = el("span", { role: "status" });
  const problems = el("div");
  const [before, after] = [["made_page_before", -1], ["made_page_after", 1]].map(([word, step]) =>
    button(word, () => show(page + step), "small"),
  );
  let page = 1;
  const figures = el("div", { class: "made-pages" }, sides.map(({ figure }) => figure));
  const details = el("details", {}, el("summary", {}, say("made_pages")), figures, el("p", { class: "made-turn" }, before, after, at), problems);
  details.addEventListener("toggle", () => show(1), { once: true });
  return details;

  async function show(wanted) {
    before.disabled = after.disabled = true;
    at.textContent = say("made_printing");
    problems.replaceChildren();
    try {
      await Promise.all(sides.map((side) => side.show(wanted)));
      const pages = Math.max(...sides.map((side) => side.pages));
      page = wanted;
      at.textContent = say("made_page", { page: number(page), pages: number(pages) });
      before.disabled = page <= 1;
      after.disabled = page >= pages;
    } catch (error) {
      at.textContent = "";
      problems.replaceChildren(problem(error, () => show(wanted)));
    }
  }
}

class Side {
  pages = 1; // at least, until one is shown
  #picture = el("img", { alt: "" });

  constructor({ document, name }) {
    Object.assign(this, { document, name });
    this.figure = el("figure", {}, this.#picture, el("figcaption", { dir: "auto" }, name));
  }

  async show(page) {
    this.figure.hidden = page > this.pages;
    if (this.figure.hidden) return;
    const url = `api/documents/${this.document}/preview?page=${page}`;
    this.pages = Number((await call(url)).headers.get("X-Pages"));
    this.#picture.src = url;
    this.#picture.alt = say("made_page_of", { name: this.name, page: number(page) });
  }
}
