// Elements of the page. Whatever comes from the service becomes text, never markup.

import { knows, say } from "./words.js";

/** An element: attributes, listeners (`onclick`), then children; strings become text. */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same of SVG. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

/** The head of a part: its name, how much there is, what can be done. */
export function heading(word, count, ...actions) {
  const counted = el("span", { class: "count" }, count);
  return el("div", { class: "title" }, el("h1", {}, say(word)), counted, actions);
}

/** What the part is narrowed to, with a button that undoes it. */
export function chip(shown, undo) {
  const attributes = { type: "button", "aria-label": say("filter_remove"), onclick: undo };
  return el("span", { class: "chip" }, shown, el("button", attributes, "×"));
}

/** A button with a word of the languages. */
export function button(word, onclick, className = "plain") {
  return el("button", { type: "button", class: className, onclick }, say(word));
}

/** A labelled field; `hint` is a word too. */
export function field(word, input, hint = null) {
  const label = el("label", {}, el("span", { class: "name" }, say(word)), input);
  if (!hint) return el("div", { class: "field" }, label);
  const note = el("span", { class: "note", id: `hint-${hint}` }, say(hint));
  input.setAttribute("aria-describedby", note.id);
  return el("div", { class: "field" }, label, note);
}

/** A choice: `options` are [value, shown]. */
export function choice(options, chosen, onchange, attributes = {}) {
  const select = el("select", { onchange: (event) => onchange(event.target.value), ...attributes });
  select.append(...options.map(([value, shown]) => new Option(shown, value)));
  select.value = chosen;
  return select;
}

/** Buttons of which one is pressed. */
export function segments(label, options, chosen, onchoose) {
  const buttons = options.map(([value, shown]) =>
    el(
      "button",
      { type: "button", "aria-pressed": `${value === chosen}`, onclick: () => onchoose(value) },
      shown,
    ),
  );
  return el("div", { class: "segments", role: "group", "aria-label": label }, buttons);
}

/** A table; `heads` are [shown, className], a row is a list of cells. On a phone a row is a card
 * whose cells say what they are. */
export function table(caption, heads, rows) {
  const head = heads.map(([shown, className]) =>
    el("th", { scope: "col", class: className }, shown),
  );
  const body = rows.map((cells) =>
    el(
      "tr",
      {},
      cells.map((cell, place) =>
        el("td", { class: heads[place][1], "data-head": heads[place][0] }, cell),
      ),
    ),
  );
  return el(
    "div",
    { class: "table", tabindex: "0", role: "region", "aria-label": caption },
    el(
      "table",
      {},
      el("caption", { class: "hidden-text" }, caption),
      el("thead", {}, el("tr", {}, head)),
      el("tbody", {}, body),
    ),
  );
}

/** A coloured word; `kind` is good, bad, warn or plain. */
export function badge(kind, shown, title = null) {
  return el("span", { class: `badge ${kind}`, title }, shown);
}

/** What a place says that has nothing yet. */
export function empty(title, detail, ...actions) {
  return el("div", { class: "empty" }, el("strong", {}, say(title)), el("p", {}, detail), actions);
}

/** What went wrong, with a button that tries again if that can help. */
export function problem(error, retry = null) {
  const key = `error_${error.code}`;
  return el(
    "div",
    { class: "problem", role: "alert" },
    el("strong", {}, say(knows(key) ? key : "error")),
    el("p", {}, error.message),
    retry && button("retry", retry),
  );
}

/** Which rows of how many are shown, and the way to the others. */
export function pager(offset, page, total, go) {
  if (total <= page) return null;
  const last = Math.min(offset + page, total);
  const before = button("page_before", () => go(Math.max(0, offset - page)));
  const after = button("page_after", () => go(offset + page));
  before.disabled = offset === 0;
  after.disabled = last >= total;
  const where = say("page_of", { first: offset + 1, last, total });
  return el("div", { class: "pager" }, el("span", {}, where), before, after);
}

/** A field that searches a little after the last letter. */
export function searchField(word, text, search) {
  let waiting = 0;
  const given = (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => search(event.target.value.trim()), 250);
  };
  return el("input", {
    ...{ type: "search", id: "search", value: text, oninput: given, autocomplete: "off" },
    ...{ placeholder: say(word), "aria-label": say(word), maxlength: "200" },
  });
}

/** Tell those who hear the page. */
export function announce(text) {
  document.querySelector("#status").textContent = text;
}
