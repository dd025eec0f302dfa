// One program that can be connected: what to write where, and whether the service answers as it
// needs.

import { el } from "../dom.js";
import { say } from "../i18n.js";
import { codeFigure, colourCode } from "../render/code.js";
import { trialPart } from "./trial.js";

/** The program with its configuration, folded unless `open`. */
export function clientPart({ name, label, needs, snippets }, found, open) {
  const about = el("p", {}, say(`connect_about_${name}`));
  const none = el("p", { class: "aside" }, say(`connect_none_${needs}`));
  const content = snippets.length
    ? [snippets.map(snippetPart), trialPart(needs, found[needs].chosen, label)]
    : none;
  const shown = el("div", { class: "stack" }, about, content);
  return el("details", { "data-name": name, open }, el("summary", { dir: "auto" }, label), shown);
}

function snippetPart({ where, syntax, text }) {
  const { figure } = codeFigure(syntax, text);
  colourCode(figure);
  return el("div", {}, where && el("p", { class: "where", dir: "ltr" }, where), figure);
}
