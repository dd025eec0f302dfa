// Files that are dropped or chosen, added one after the other; goes on when the panel is left.

import { announce, attempt, el, problem } from "../dom.js";
import { say } from "../i18n.js";
import { upload } from "./upload.js";

const waiting = []; // {collection, file, onAdded}
const shown = el("div", { class: "stack" });
let adding = false;

/** Where one sees how far it is and what went wrong. */
export const underWay = shown;

/** A place to drop files on, or to choose them; `onFiles(files)`. */
export function dropZone(onFiles) {
  const input = el("input", { type: "file", multiple: true });
  input.addEventListener("change", () => {
    onFiles([...input.files]);
    input.value = "";
  });
  const zone = el("div", { class: "drop" }, el("label", {}, el("span", {}, say("documents_drop")), input));
  const over = (is) => (event) => {
    event.preventDefault();
    zone.classList.toggle("over", is);
  };
  zone.addEventListener("dragover", over(true));
  zone.addEventListener("dragleave", over(false));
  zone.addEventListener("drop", over(false));
  zone.addEventListener("drop", ({ dataTransfer }) => onFiles([...dataTransfer.files]));
  return zone;
}

/** Add files to a collection; `onAdded()` after each. */
export async function add(collection, files, onAdded) {
  waiting.push(...files.map((file) => ({ collection, file, onAdded })));
  if (adding) return;
  adding = true;
  shown.replaceChildren();
  announce("documents_adding");
  while (waiting.length) await one(waiting.shift());
  adding = false;
  announce("documents_added");
}

async function one({ collection, file, onAdded }) {
  const { name } = file;
  const words = el("p", { dir: "auto" }, say("document_sending", { name }));
  const bar = el("progress", { max: "1", "aria-label": say("document_under_way", { name }) });
  const line = el("div", { class: "stack" }, words, bar);
  shown.append(line);
  try {
    await upload(collection, file, (share) => {
      bar.value = share;
      if (share < 1) return;
      bar.removeAttribute("value");
      words.textContent = say("document_reading", { name });
    });
    line.remove();
  } catch (error) {
    line.replaceChildren(el("p", { dir: "auto" }, name), problem(error));
  }
  await attempt(onAdded);
}
