// Formulas. KaTeX, its styles and fonts come with the first one; until then the source is shown.

import { reachable } from "./scrolling.js";

const base = new URL("../vendor/katex/", import.meta.url);
const kept = 500; // formulas that are drawn already: a growing paragraph draws them again and again

const settings = { maxExpand: 500, maxSize: 20, output: "htmlAndMathml", strict: "ignore", trust: false };
const drawn = new Map();
let loading = null;
let ready = false;

/** An element for a formula's token. One that KaTeX refuses stays as its source. */
export function drawFormula(token) {
  const made = document.createElement("span");
  made.className = token.display ? "formula display" : "formula";
  made.textContent = token.raw.trim();
  if (token.display) reachable(made);
  if (ready) typeset(made, token);
  else load().then(() => typeset(made, token), () => {}); // without KaTeX the source stays
  return made;
}

function typeset(made, { source, display }) {
  const key = `${display} ${source}`;
  if (!drawn.has(key)) {
    if (drawn.size >= kept) drawn.clear();
    drawn.set(key, build(source, display));
  }
  const formula = drawn.get(key);
  if (formula) made.replaceChildren(formula.cloneNode(true));
}

function build(source, display) {
  try {
    const tree = katex.__renderToDomTree(source, { ...settings, displayMode: display });
    dropStyleAttributes(tree);
    return tree.toNode();
  } catch {
    return null; // not LaTeX, or more than KaTeX knows of it
  }
}

/**
 * KaTeX sets its styles by property, as the page's policy allows. A few of its elements have a
 * style attribute beside, which the policy forbids; each repeats what its parent's style says.
 */
function dropStyleAttributes(node) {
  delete node.attributes?.style;
  node.children?.forEach(dropStyleAttributes);
}

function load() {
  loading ??= Promise.all([import(new URL("katex.min.js", base)), loadStyles()]).then(() => {
    ready = true;
  });
  return loading;
}

function loadStyles() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("katex.min.css", base);
  return new Promise((resolve, reject) => {
    link.addEventListener("load", resolve);
    link.addEventListener("error", reject);
    document.head.append(link);
  });
}
