// What draws Markdown: a third of the page's code, loaded when there is something to draw.

import { part } from "./api.js";
import { $, el, showProblem } from "./dom.js";
import { emit } from "./store.js";

// Asked for at once, though each is named by another one only.
const modules = [
  ...["render/blocks.js", "render/code.js", "render/drawing.js", "render/elements.js", "render/formulas.js"],
  ...["render/highlight.js", "render/lexer.js", "render/links.js", "render/scrolling.js", "vendor/marked/marked.esm.js"],
];
let loading = false;

/** The class of render/markdown.js; null until it is loaded. */
export let GrowingMarkdown = null;

/** Load it if it is not under way; the store's listeners hear "prose" when it is there. */
export async function loadProse() {
  if (loading) return;
  loading = true;
  const hint = (name) => el("link", { rel: "modulepreload", href: new URL(name, import.meta.url).href });
  document.head.append(...modules.map(hint));
  try {
    ({ GrowingMarkdown } = await part(() => import("./render/markdown.js")));
    emit("prose");
  } catch (error) {
    loading = false;
    showProblem(error, loadAgain);
  }
}

function loadAgain() {
  $("#problems").replaceChildren();
  loadProse();
}
