// What changed between two texts: which words, by Myers' algorithm, and how a page shows it.
//
// A difference is a list of {op: "same" | "del" | "ins", text}; the texts of "same" and "del" make
// the text before, those of "same" and "ins" the text after.

import { say } from "../i18n.js";
import { reachable } from "./scrolling.js";

const editLimit = 2000; // words: texts that differ in more are shown as replaced
const context = 3; // unchanged lines shown around a change
const foldFrom = 4; // unchanged lines that are worth a fold

const words = / ?[\p{L}\p{N}\p{M}_]+|[^]/gu; // a word with its space, else texts meet at their spaces
const lines = /[^\n]*\n|[^\n]+/g;

/** The difference between two texts, word by word. Pure. */
export function diffWords(before, after) {
  return diff(before.match(words) ?? [], after.match(words) ?? []);
}

/** The difference between two texts, line by line. Pure. */
export function diffLines(before, after) {
  return diff(before.match(lines) ?? [], after.match(lines) ?? []);
}

/** A difference as running text: what went is struck out, what came is marked. */
export function drawWordDiff(ops) {
  const made = document.createElement("div");
  made.className = "diff words";
  made.append(...ops.map(({ op, text }) => (op === "same" ? text : change(op, text))));
  return made;
}

/** A difference as lines with a sign before each; long unchanged stretches fold away. */
export function drawLineDiff(ops) {
  const made = document.createElement("div");
  made.className = "diff lines";
  reachable(made);
  ops.forEach(({ op, text }, index) => {
    const each = text.match(lines) ?? [];
    if (op !== "same") made.append(change(op, ...each.map(signed)));
    else made.append(...stretch(each, index > 0, index < ops.length - 1));
  });
  return made;
}

function change(op, ...content) {
  const made = document.createElement(op === "del" ? "del" : "ins");
  const spoken = document.createElement("span");
  spoken.className = "hidden-text";
  spoken.textContent = say(op === "del" ? "diff_removed" : "diff_added");
  made.append(spoken, ...content);
  return made;
}

/** A line that the stylesheet puts its sign before. */
function signed(text) {
  const made = document.createElement("span");
  made.className = "line";
  made.textContent = text;
  return made;
}

/** Unchanged lines: all, or those beside a change and a fold for the others. */
function stretch(each, afterChange, beforeChange) {
  const head = afterChange ? context : 0;
  const tail = beforeChange ? context : 0;
  if (each.length < head + tail + foldFrom) return [unchanged(each)];
  const folded = each.slice(head, each.length - tail);
  const fold = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = say("diff_unchanged", { count: folded.length });
  fold.append(summary, unchanged(folded));
  return [unchanged(each.slice(0, head)), fold, unchanged(each.slice(each.length - tail))];
}

function unchanged(each) {
  const made = document.createElement("span");
  made.textContent = each.join("");
  return made;
}

function diff(before, after) {
  const head = commonLength(before, after, (list, index) => list[index]);
  const [oldRest, newRest] = [before.slice(head), after.slice(head)];
  const tail = commonLength(oldRest, newRest, (list, index) => list[list.length - 1 - index]);
  const [oldMiddle, newMiddle] = [oldRest, newRest].map((list) => list.slice(0, list.length - tail));
  const middle = shortestEdit(oldMiddle, newMiddle) ?? [
    ...oldMiddle.map((text) => ({ op: "del", text })),
    ...newMiddle.map((text) => ({ op: "ins", text })),
  ];
  const same = (list) => list.map((text) => ({ op: "same", text }));
  const ends = oldRest.slice(oldRest.length - tail);
  return joined(gather([...same(before.slice(0, head)), ...middle, ...same(ends)]));
}

function commonLength(before, after, at) {
  const most = Math.min(before.length, after.length);
  let length = 0;
  while (length < most && at(before, length) === at(after, length)) length += 1;
  return length;
}

/** Myers' greedy algorithm; null if the lists differ in more than `editLimit` entries. */
function shortestEdit(before, after) {
  const most = Math.min(before.length + after.length, editLimit);
  const reach = new Int32Array(2 * most + 3); // by diagonal: how far in `before` one gets
  const middle = most + 1;
  const trace = [];
  for (let edits = 0; edits <= most; edits += 1) {
    trace.push(reach.slice(middle - edits - 1, middle + edits + 2));
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const at = middle + diagonal;
      let x = goesDown(diagonal, edits, reach, middle) ? reach[at + 1] : reach[at - 1] + 1;
      while (x < before.length && x - diagonal < after.length && before[x] === after[x - diagonal]) x += 1;
      reach[at] = x;
      if (x >= before.length && x - diagonal >= after.length) return walkBack(before, after, trace);
    }
  }
  return null;
}

function goesDown(diagonal, edits, reach, middle) {
  const at = middle + diagonal;
  return diagonal === -edits || (diagonal !== edits && reach[at - 1] < reach[at + 1]);
}

function walkBack(before, after, trace) {
  const ops = [];
  let [x, y] = [before.length, after.length];
  for (let edits = trace.length - 1; edits >= 0; edits -= 1) {
    const reach = trace[edits];
    const middle = edits + 1;
    const down = goesDown(x - y, edits, reach, middle);
    const from = x - y + (down ? 1 : -1);
    const startX = edits ? reach[middle + from] : 0;
    const startY = edits ? startX - from : 0;
    while (x > startX && y > startY) {
      [x, y] = [x - 1, y - 1];
      ops.push({ op: "same", text: before[x] });
    }
    if (edits) ops.push(down ? { op: "ins", text: after[startY] } : { op: "del", text: before[startX] });
    [x, y] = [startX, startY];
  }
  return ops.reverse();
}

/** Neighbours of one kind as one. */
function joined(ops) {
  const made = [];
  for (const { op, text } of ops) {
    if (made.at(-1)?.op === op) made.at(-1).text += text;
    else if (text) made.push({ op, text });
  }
  return made;
}

/** What went before what came, wherever both stand together; a space that both begin with is kept. */
function gather(ops) {
  const made = [];
  let [removed, added] = ["", ""];
  const flush = () => {
    const kept = removed[0] === " " && added[0] === " " ? 1 : 0;
    made.push({ op: "same", text: removed.slice(0, kept) });
    made.push({ op: "del", text: removed.slice(kept) }, { op: "ins", text: added.slice(kept) });
    [removed, added] = ["", ""];
  };
  for (const { op, text } of ops) {
    if (op === "del") removed += text;
    else if (op === "ins") added += text;
    else {
      flush();
      made.push({ op, text });
    }
  }
  flush();
  return made;
}
