// What is said under a question or an answer of an action: which it was, how far it is, what to mind.

import { el } from "../dom.js";
import { number, say, sayCount } from "../i18n.js";
import { choiceWord, inWords } from "./table.js";

const counted = new Set([
  ...["numbers", "urls", "placeholders", "code_blocks", "new_numbers", "new_urls"],
  ...["cut_short", "ran_on", "typography"],
]);

/** Which action a question was asked with. */
export function chip(action) {
  return el("p", { class: "action-chip" }, inWords(action));
}

/** How far an answer in several parts is; null where there is one. */
export function progressOf({ part, parts }) {
  if (!(parts > 1)) return null;
  const text = say("part_of", { part: number(part), parts: number(parts) });
  const bar = el("progress", { value: part - 1, max: parts, "aria-label": text });
  return el("p", { class: "action-progress" }, bar, el("span", {}, text));
}

/** What was done so far with code. */
export function stepsOf(steps) {
  return el("ol", { class: "steps", "aria-label": say("steps") }, steps.map((one) => el("li", {}, stepWord(one))));
}

function stepWord({ kind, attempt, passed, counted, gain, pairs }) {
  const of = { attempt: number(attempt) };
  if (kind === "examined") {
    const counts = { passed: number(passed), counted: number(counted) };
    const key = counted ? "step_examined" : "step_runs";
    return say(attempt ? key : `${key}_first`, { ...of, ...counts });
  }
  if (kind === "timed") {
    return say("step_timed", { ...of, gain: number(gain, { maximumSignificantDigits: 3 }), pairs: number(pairs) });
  }
  return say(`step_${kind}`, of);
}

/** What is to be minded (texts) and what the checks found, as a list; null where that is nothing. */
export function notesOf(minded, notes = []) {
  if (!minded.length && !notes.length) return null;
  const items = [
    ...minded.map((text) => el("li", { class: "minded", dir: "auto" }, text)),
    ...notes.map((note) => el("li", { class: kindOf(note) }, sentence(note))),
  ];
  return el("ul", { class: "action-notes", "aria-label": say("notes") }, items);
}

function kindOf({ code }) {
  return code === "typography" ? "told" : "minded";
}

/** A note of the checks in words. */
export function sentence({ code, count = 0, values = [] }) {
  if (code === "language") {
    return say("note_language", { language: choiceWord("target", values[0]) });
  }
  const told = counted.has(code) ? sayCount(`note_${code}`, count || values.length || 1) : say(`note_${code}`);
  return values.length ? say("note_with", { note: told, values: values.join(", ") }) : told;
}
