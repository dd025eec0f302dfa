// The branch that is shown: its messages, each drawn in full only when it comes near.

import { compareView } from "./compare.js";
import { $ } from "./dom.js";
import { MessageView } from "./message.js";
import { begin as beginScroll } from "./scroll.js";
import { on, store } from "./store.js";
import { shownBranch } from "./talk.js";
import { compared } from "./tree.js";

const drawnAtOnce = 8; // what is seen when a conversation opens at its end
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
  for (const event of ["actions", "models"]) on(event, drawTools);
}

function drawTools() {
  for (const view of views.values()) view.drawTools();
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
  log.append(...fresh.map(({ element }) => element));
  for (const view of fresh.slice(-drawnAtOnce)) view.drawNear();
  if (answers.length) compare(answers);
}

function compare(answers) {
  const element = compareView(answers, answers.map(made));
  comparison = { element, answers };
  log.append(element);
}

function endComparison() {
  for (const { id } of comparison?.answers ?? []) if (views.has(id)) remove(id, views.get(id));
  comparison?.element.remove();
  comparison = null;
}

function made(message) {
  const view = new MessageView(message);
  views.set(message.id, view);
  near.observe(view.element);
  return view;
}

function approach(entries) {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    views.get(Number(target.dataset.id))?.drawNear();
  }
}

function remove(id, view) {
  near.unobserve(view.element);
  view.element.remove();
  views.delete(id);
}

function clear() {
  for (const [id, view] of views) remove(id, view);
  log.replaceChildren();
  drawn = store.messages;
}
