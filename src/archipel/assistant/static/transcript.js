// The branch that is shown: its messages in stretches, each drawn in full only when it comes near,
// and out of the browser's mind while it is far: so a token costs the same however many there are.

import { compareView } from "./compare.js";
import { $, el } from "./dom.js";
import { MessageView } from "./message.js";
import { begin as beginScroll } from "./scroll.js";
import { on, store } from "./store.js";
import { shownBranch } from "./talk.js";
import { compared } from "./tree.js";

const drawnAtOnce = 8; // what is seen when a conversation opens at its end
const stretchLength = 20;
const log = $("#log");
const views = new Map(); // by the message's id: what is on the page
let drawn = null; // the Map of messages that they are of
let comparison = null; // {element, answers} where several stand side by side

const near = new IntersectionObserver(approach, { root: $("#scroll"), rootMargin: "1200px 0px" });

/** Show what the store holds, now and when it changes. */
export function begin() {
  beginScroll();
  on("branch", draw);
  on("piece", ({ message, text }) => views.get(message.id)?.add(text));
  on("progress", (message) => views.get(message.id)?.drawProgress());
  on("message", (message) => views.get(message.id)?.end(message));
  on("growing", () => log.setAttribute("aria-busy", String(store.growing.size > 0)));
  on("action", (action) => views.forEach((view) => view.addTool(action)));
  on("parts", () => views.forEach((view) => view.drawParts()));
  on("prose", () => views.forEach((view) => view.drawProse()));
  on("models", () => views.forEach((view) => view.drawFacts()));
}

/** The view of the last message of the branch that `fits`, or undefined. */
export function lastView(fits) {
  return views.get(shownBranch().findLast(fits)?.id);
}

/** Draw the branch: what it has in common with the one before stays untouched. */
function draw() {
  if (drawn !== store.messages) clear();
  endComparison();
  const branch = shownBranch();
  const answers = compared(store.messages, store.shown);
  const wanted = new Set(branch.map(({ id }) => id));
  for (const [id, view] of views) if (!wanted.has(id)) remove(id, view);
  const fresh = branch.filter(({ id }) => !views.has(id)).map(made);
  for (const { element } of fresh) place(element);
  for (const view of fresh.slice(-drawnAtOnce)) view.drawNear();
  if (answers.length) compare(answers);
}

/** Put a message at the end, in a stretch that has room. */
function place(element) {
  let stretch = log.lastElementChild;
  if (!stretch || stretch.childElementCount === stretchLength) {
    stretch = el("div", { class: "stretch" });
    log.append(stretch);
  }
  stretch.append(element);
  near.observe(stretch); // again, if all that it held was drawn
}

function compare(answers) {
  const fresh = answers.map(made);
  const element = compareView(answers, fresh);
  comparison = { element, answers };
  log.append(element);
  for (const view of fresh) view.drawNear();
}

function endComparison() {
  for (const { id } of comparison?.answers ?? []) if (views.has(id)) remove(id, views.get(id));
  comparison?.element.remove();
  comparison = null;
}

function made(message) {
  const view = new MessageView(message);
  views.set(message.id, view);
  return view;
}

function approach(entries) {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    for (const { dataset } of target.children) views.get(Number(dataset.id))?.drawNear();
  }
}

function remove(id, view) {
  const stretch = view.element.closest(".stretch");
  view.element.remove();
  views.delete(id);
  if (stretch?.childElementCount === 0) stretch.remove();
}

function clear() {
  for (const [id, view] of views) remove(id, view);
  near.disconnect();
  log.replaceChildren();
  drawn = store.messages;
}
