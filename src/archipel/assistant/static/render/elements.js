// Marked's tokens as elements. Text only ever enters through text nodes, addresses through safeUrl.

import { say } from "../i18n.js";
import { codeFigure } from "./code.js";
import { drawFormula } from "./formulas.js";
import { misleads, safeUrl } from "./links.js";
import { reachable } from "./scrolling.js";

/** An element with `children`, nodes or texts. */
export function element(tag, ...children) {
  const made = document.createElement(tag);
  made.append(...children);
  return made;
}

/** The elements of block `tokens`; `headings` remembers the depths of those that are above. */
export function blockNodes(tokens, headings) {
  return tokens.flatMap((token) => (blocks[token.type] ?? unknown)(token, headings));
}

/** The items of a list. */
export function itemNodes(list, headings) {
  return list.items.map((item) => {
    const [mark, tokens] = takeCheckbox(item);
    const made = element("li", ...mark, ...blockNodes(tokens, headings));
    if (mark.length) made.className = "task";
    return made;
  });
}

/** An empty list of `list`'s kind that begins with its number. */
export function listNode(list) {
  const made = element(list.ordered ? "ol" : "ul");
  if (list.ordered && list.start !== 1) made.start = list.start;
  return made;
}

/** A table in a box of its own that scrolls; the rows go into its `tbody`. */
export function tableNode(table) {
  const head = element("thead", rowNode(table.header, "th"));
  const box = element("div", element("table", head, element("tbody", ...rowNodes(table))));
  box.className = "table";
  reachable(box);
  box.setAttribute("role", "group");
  name(box, "table");
  return box;
}

/** The rows of a table's body. */
export function rowNodes(table) {
  return table.rows.map((row) => rowNode(row, "td"));
}

const blocks = {
  space: () => [],
  hr: () => element("hr"),
  paragraph: (token) => element("p", ...inlineNodes(token.tokens)),
  text: (token) => (token.tokens ? inlineNodes(token.tokens) : [token.text]),
  heading: headingNode,
  blockquote: (token, headings) => element("blockquote", ...blockNodes(token.tokens, headings)),
  code: (token) => codeFigure(token.lang ?? "", token.text).figure,
  table: tableNode,
  formulaBlock: (token) => element("p", drawFormula(token)),
  list(token, headings) {
    const made = listNode(token);
    made.append(...itemNodes(token, headings));
    return made;
  },
};

const inlines = {
  text: (token) => decoded(token.text),
  escape: (token) => token.text,
  strong: (token) => element("strong", ...inlineNodes(token.tokens)),
  em: (token) => element("em", ...inlineNodes(token.tokens)),
  del: (token) => element("del", ...inlineNodes(token.tokens)),
  codespan: (token) => element("code", token.text),
  br: () => element("br"),
  link: linkNode,
  image: imageNode,
  formula: drawFormula,
};

function inlineNodes(tokens) {
  return tokens.flatMap((token) => (inlines[token.type] ?? unknown)(token));
}

/** What has no element of its own stays as it was written. */
function unknown(token) {
  return token.raw;
}

/**
 * A heading below the page's own: h3 for the first, and never more than one level below the
 * heading above it, as those who go from heading to heading expect.
 */
function headingNode(token, headings) {
  while (headings.length && headings.at(-1) >= token.depth) headings.pop();
  headings.push(token.depth);
  const made = element(`h${Math.min(headings.length + 2, 6)}`, ...inlineNodes(token.tokens));
  made.className = `depth-${token.depth}`;
  return made;
}

function linkNode(token) {
  const url = safeUrl(token.href);
  if (!url) return token.raw;
  const label = inlineNodes(token.tokens);
  const text = element("span", ...label).textContent;
  return anchor(url, misleads(text, url) ? [url.href] : label);
}

/** A picture of the message is never fetched: a link shows where it lies. */
function imageNode(token) {
  const url = safeUrl(token.href);
  if (!url || url.protocol === "mailto:") return token.raw;
  return anchor(url, [token.text ? `${token.text} (${url.host})` : url.host]);
}

function anchor(url, label) {
  const made = element("a", ...label);
  made.href = url.href;
  made.rel = "noopener noreferrer nofollow";
  made.target = "_blank";
  return made;
}

function takeCheckbox(item) {
  const [first, ...rest] = item.tokens;
  if (!item.task) return [[], item.tokens];
  if (first.type === "checkbox") return [[checkbox(first)], rest];
  const [box, ...more] = first.tokens;
  return [[checkbox(box)], [{ ...first, tokens: more }, ...rest]];
}

function checkbox(token) {
  const made = document.createElement("input");
  made.type = "checkbox";
  made.disabled = true;
  made.defaultChecked = token.checked;
  name(made, token.checked ? "task_done" : "task_open");
  return made;
}

function rowNode(cells, tag) {
  return element("tr", ...cells.map((cell) => cellNode(cell, tag)));
}

function cellNode(cell, tag) {
  const made = element(tag, ...inlineNodes(cell.tokens));
  if (tag === "th") made.scope = "col";
  if (cell.align) made.className = cell.align;
  return made;
}

/** Name `made` for those who do not see it. */
function name(made, key) {
  made.setAttribute("aria-label", say(key));
}

/** `text` with the characters that "&eacute;" and the like stand for. */
function decoded(text) {
  return text.replace(/&[a-z][a-z\d]{1,30};/gi, (entity) => {
    const read = new DOMParser().parseFromString(entity, "text/html");
    return read.documentElement.textContent;
  });
}
