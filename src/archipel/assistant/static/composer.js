// Where one writes: the question, the buttons beside it, send and stop.

import { $, attempt, iconButton, showProblem } from "./dom.js";
import { keepDraft, readDraft } from "./drafts.js";
import { chosenModels } from "./models.js";
import { loadProse } from "./prose.js";
import { on, store } from "./store.js";
import { ask, stopAll } from "./talk.js";
import { goToEnd } from "./scroll.js";

const question = $("#question");
const additions = [];
let conversation; // the one whose draft is shown, null for a new one
let asking = false;

/** Put a button left of the text, after the others. */
export function addTool(button) {
  $("#tools").append(button);
}

/** Put a button before all others left of the text. */
export function addFirstTool(button) {
  $("#tools").prepend(button);
}

/** Have `fields()` (null: nothing) sent beside each question; called when one is asked. A question
 * that is edited is asked with `again(message)` instead. */
export function addToQuestion(fields, again = () => null) {
  additions.push({ fields, again });
}

/** What an edited question is asked with: what it was asked with before. */
export function askedWith(message) {
  return Object.assign({}, ...additions.map(({ again }) => again(message)));
}

/** Put a text where one writes, and go there. */
export function setQuestion(text) {
  question.value = text;
  changed();
  question.focus();
}

/** Ask `text` of the chosen models, with `more` beside it or what the page has chosen. What goes wrong
 * is shown, and the text is where it was; what was written is kept until it has been asked. */
export async function askQuestion(text, parent = undefined, more = null) {
  const before = conversation;
  asking = true;
  $("#problems").replaceChildren();
  try {
    const beside = more ?? Object.assign({}, ...additions.map(({ fields }) => fields()));
    goToEnd();
    await ask({ text, models: await chosenModels(), parent, more: beside });
    keepDraft(before, "");
    goToEnd();
  } catch (error) {
    if (!question.value) setQuestion(text);
    showProblem(error, () => askAndClear(text, parent, more));
  } finally {
    asking = false;
    conversation = store.conversation?.id ?? null;
    if (question.value) changed();
    else show(readDraft(conversation));
  }
}

/** Listen to the person. */
export function begin() {
  const send = iconButton("send", "send", null, { type: "submit", class: "send" });
  const stop = iconButton("stop", "stop", stopAnswers, { class: "send" });
  $("#send").append(send, stop);
  $("#composer").addEventListener("submit", submit);
  question.addEventListener("input", changed);
  question.addEventListener("input", loadProse, { once: true }); // an answer will come
  question.addEventListener("keydown", entered);
  on("growing", showGrowing);
  on("branch", takeDraft);
  showGrowing();

  function showGrowing() {
    const growing = store.growing.size > 0;
    const focused = send.contains(document.activeElement) || stop.contains(document.activeElement);
    send.hidden = growing;
    stop.hidden = !growing;
    if (focused) question.focus();
  }
}

/** End the answers under way. */
export async function stopAnswers() {
  await attempt(stopAll);
}

function submit(event) {
  event.preventDefault();
  const text = question.value.trim();
  if (text && !store.growing.size && !asking) askAndClear(text);
}

function askAndClear(text, parent, more) {
  show("");
  return askQuestion(text, parent, more);
}

function entered(event) {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("#composer").requestSubmit();
}

function changed() {
  fit();
  keepDraft(conversation, question.value);
}

function show(text) {
  question.value = text;
  fit();
}

function fit() {
  question.style.height = "auto";
  question.style.height = `${question.scrollHeight}px`;
}

function takeDraft() {
  const id = store.conversation?.id ?? null;
  $("#composer").hidden = store.readOnly;
  if (asking || id === conversation) return;
  conversation = id;
  show(readDraft(id));
}
