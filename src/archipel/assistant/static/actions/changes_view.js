// A person's text with what an action changed: each change can be refused and accepted again.

import { setQuestion } from "../composer.js";
import { announce, button, copyText, el } from "../dom.js";
import { number, say, sayCount } from "../i18n.js";
import { changesOf, textWith } from "./changes.js";

/** The changes between two texts, with what can be done with them. */
export function changesView(before, after) {
  const changes = changesOf(before, after);
  const refused = new Set();
  const places = changes.flatMap(({ same }, place) => (same === undefined ? [place] : []));
  const buttons = new Map(places.map((place) => [place, changeButton(place)]));
  const count = el("span");
  const text = el("div", { class: "text", dir: "auto" });
  text.append(...changes.map(({ same }, place) => same ?? buttons.get(place)));
  const result = () => textWith(changes, refused);
  const acts = [
    button("accept_all", () => set(places, false), "small"),
    button("refuse_all", () => set(places, true), "small"),
    button("copy_result", () => copyText(result()), "small"),
    button("use_result", () => setQuestion(result()), "small"),
  ];
  const group = { class: "acts", role: "group", "aria-label": say("changes") };
  if (!places.length) return el("div", { class: "changes" }, el("p", {}, say("no_changes")), text);
  count.textContent = counted();
  return el("div", { class: "changes" }, el("div", group, count, acts), text);

  function set(which, refuse) {
    for (const place of which) {
      if (refuse) refused.add(place);
      else refused.delete(place);
      buttons.get(place).setAttribute("aria-pressed", `${!refuse}`);
    }
    count.textContent = counted();
    announce("accepted", accepted());
  }

  function accepted() {
    return { count: number(places.length - refused.size) };
  }

  function counted() {
    return `${sayCount("changes", places.length)}, ${say("accepted", accepted())}`;
  }

  function changeButton(place) {
    const { before: old, after: new_ } = changes[place];
    const press = () => set([place], !refused.has(place));
    const shown = [old && spoken("del", "diff_removed", old), new_ && spoken("ins", "diff_added", new_)];
    const attributes = { type: "button", class: "change", "aria-pressed": "true", onclick: press };
    return el("button", attributes, shown);
  }
}

function spoken(tag, word, text) {
  return el(tag, {}, el("span", { class: "hidden-text" }, say(word)), visible(text));
}

/** Spaces that are all of a change would not be seen. */
function visible(text) {
  if (text.trim()) return text;
  return text.replace(/[\u00a0\u202f]/g, "⍽").replace(/ /g, "␣").replace(/\n/g, "↵\n");
}
