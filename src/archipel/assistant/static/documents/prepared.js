// The words and the style sheet of what has to do with documents: there before it begins.

import { el } from "../dom.js";
import { addWords } from "../i18n.js";

await Promise.all([addWords("documents"), dressed()]);

function dressed() {
  const link = el("link", { rel: "stylesheet", href: new URL("documents.css", import.meta.url).href });
  const loaded = new Promise((resolve, reject) => Object.assign(link, { onload: resolve, onerror: reject }));
  document.head.append(link);
  return loaded;
}
