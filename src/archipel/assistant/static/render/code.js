// A code block: its language, a button that copies it, its text in pieces that grow.

import { say } from "../i18n.js";
import { highlight } from "./highlight.js";
import { reachable } from "./scrolling.js";

const copiedFor = 2000; // milliseconds

/** A figure for code of the language that `info` begins with: {figure, code}. */
export function codeFigure(info, text) {
  const [language] = info.match(/^[\w+#.-]*/);
  const code = document.createElement("code");
  code.append(codePiece(text));
  const pre = document.createElement("pre");
  pre.append(code);
  reachable(pre);
  const label = document.createElement("span");
  label.textContent = language;
  const caption = document.createElement("figcaption");
  caption.append(label, copyButton(code));
  const figure = document.createElement("figure");
  figure.className = "code";
  figure.dataset.language = language.toLowerCase();
  figure.append(caption, pre);
  return { figure, code };
}

/** Some lines of code. They are laid out on their own, so that more lines cost the same. */
export function codePiece(text) {
  const piece = document.createElement("span");
  piece.className = "piece";
  piece.textContent = text;
  return piece;
}

/** Colour the code blocks in and under `node`, once each; they are complete. */
export function colourCode(node) {
  const figures = [...node.querySelectorAll("figure.code")];
  for (const figure of node.matches("figure.code") ? [node, ...figures] : figures) {
    colourFigure(figure);
  }
}

async function colourFigure(figure) {
  const code = figure.querySelector("pre > code");
  const coloured = await highlight(code.textContent, figure.dataset.language);
  if (coloured) code.replaceChildren(coloured);
}

function copyButton(code) {
  const button = document.createElement("button");
  button.type = "button";
  show("copy");
  button.addEventListener("click", async () => {
    await copy(code);
    show("copied");
    setTimeout(() => show("copy"), copiedFor);
  });
  return button;

  function show(key) {
    button.textContent = say(key);
  }
}

async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent.replace(/\n$/, ""));
  } catch {
    // Over plain HTTP from another machine the page has no clipboard, but it can copy a selection.
    getSelection().selectAllChildren(code);
    document.execCommand("copy");
    getSelection().removeAllRanges();
  }
}
