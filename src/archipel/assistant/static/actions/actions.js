// What people come for, at a press: translate, summarise, rewrite, correct, explain, write code.

import { part } from "../api.js";
import { addFirstTool, addToQuestion } from "../composer.js";
import { el, iconButton, problem } from "../dom.js";
import { addWords, say } from "../i18n.js";
import { openMenu } from "../menus.js";
import { addToMessage } from "../message_parts.js";
import { emit, on, store } from "../store.js";
import { asked, begin as beginChosen, choose, chosenAction, reason } from "./chosen.js";
import { chip, notesOf, progressOf, stepsOf } from "./notes.js";
import { begin as beginOnText } from "./on_text.js";
import { begin as beginSaveAs } from "./save_as.js";
import { begin as beginSlash } from "./slash.js";
import { actionOf, actions, load } from "./table.js";
import { madeOf } from "./made.js";
import { notTaken, takenText } from "./taken.js";

document.head.append(el("link", { rel: "stylesheet", href: new URL("actions.css", import.meta.url).href }));
await Promise.all([addWords("actions"), load()]);
const tool = iconButton("M11 2L4 12h5l-1 6 7-10h-5z", "actions", open, { "aria-haspopup": "menu" });
addFirstTool(tool);
beginChosen();
beginSlash(open, choose);
beginOnText();
beginSaveAs();
const answers = new WeakMap(); // messages' elements: what one refused stays refused
let sent = false;
addToQuestion(
  () => {
    const action = chosenAction();
    sent = action !== null;
    return action;
  },
  (edited) => edited.facts.action && asked(edited.facts.action),
);
on("branch", () => {
  if (sent) choose(null);
  sent = false;
});
addToMessage(drawn);
addToMessage(why);
on("models", () => emit("parts"));

function open() {
  const items = actions.map((action) => ({
    text: say(`action_${action.name}`),
    run: () => choose(action),
  }));
  return openMenu(tool, items);
}

function drawn(message) {
  const question = message.role === "user" ? message : store.messages.get(message.parent);
  const action = question?.facts.action;
  if (!action || !actionOf(action.name)) return null;
  if (message === question) return asOf(message);
  if (message.status === "growing") return growing(message.progress ?? {});
  return answer(message, question, actionOf(action.name));
}

/** Which model made the answer, where it is made for the action. */
function why({ role, parent, model }) {
  const action = role === "assistant" && store.messages.get(parent)?.facts.action;
  const told = action && reason(model, action);
  return told ? el("p", { class: "action-why", dir: "auto" }, say("because", { model, why: told })) : null;
}

function asOf(question) {
  const { action, taken } = question.facts;
  return el("div", {}, chip(action), taken && takenText(question));
}

function growing(progress) {
  return progress.steps ? stepsOf(progress.steps) : progressOf(progress);
}

/** The notes or the evidence, and for what is shown as changes these in the text's place. */
function answer(message, question, action) {
  const { notes, evidence } = message.facts.action ?? {};
  if (message.facts.made) return made(message, question);
  const minded = notTaken(question.facts.taken);
  const changes = action.shown === "diff" && message.status === "done" && message.text;
  if (!answers.has(message)) {
    const shown = el("div");
    if (changes) fill(shown, () => changesOf(question.text, message.text));
    if (evidence) fill(shown, () => provenBy(evidence));
    answers.set(message, el("div", {}, shown, notesOf(minded, notes)));
  }
  return answers.get(message);
}

/** Drawn once: pages that were opened stay open. */
function made(message, question) {
  if (!answers.has(message)) answers.set(message, madeOf(message.facts.made, question.facts.taken));
  return answers.get(message);
}

async function fill(root, draw) {
  try {
    root.replaceChildren(await draw());
  } catch (error) {
    root.replaceChildren(problem(error, () => fill(root, draw)));
  }
}

async function changesOf(before, after) {
  const { changesView } = await part(() => import("./changes_view.js"));
  return changesView(before, after);
}

async function provenBy(evidence) {
  const { evidenceView } = await part(() => import("./evidence.js"));
  return evidenceView(evidence);
}
