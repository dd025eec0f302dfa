// The words and the style sheet of a part of the page, there before it is shown.

import { el } from "./dom.js";
import { addWords } from "./i18n.js";

const parts = new Map(); // by name: what is loading, or has loaded

/** Take in those of `part`, PART/languages/ and PART/PART.css: once, or again where they did not come. */
export function dress(part) {
  if (!parts.has(part)) parts.set(part, Promise.all([addWords(part), styled(part)]));
  return parts.get(part).catch((error) => {
    parts.delete(part);
    throw error;
  });
}

async function styled(part) {
  const link = el("link", { rel: "stylesheet", href: new URL(`${part}/${part}.css`, import.meta.url).href });
  const loaded = new Promise((resolve, reject) => Object.assign(link, { onload: resolve, onerror: reject }));
  document.head.append(link);
  await loaded.catch(() => {
    link.remove();
    throw new TypeError(`no style at ${link.href}`); // as fetch has it
  });
}
