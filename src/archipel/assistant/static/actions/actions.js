// What people come for, at a press: translate, summarise, rewrite, correct, explain, write code.

import { addFirstTool, addToQuestion } from "../composer.js";
import { el, iconButton } from "../dom.js";
import { addWords, say } from "../i18n.js";
import { openMenu } from "../menus.js";
import { addToMessage } from "../message_parts.js";
import { on, store } from "../store.js";
import { changesView } from "./changes_view.js";
import { asked, begin as beginChosen, choose, chosenAction } from "./chosen.js";
import { chip, notesOf, progressOf } from "./notes.js";
import { evidenceView, stepsOf } from "./evidence.js";
import { begin as beginOnText } from "./on_text.js";
import { begin as beginSlash } from "./slash.js";
import { actionOf, actions, load } from "./table.js";
import { notTaken, takenText } from "./taken.js";

document.head.append(el("link", { rel: "stylesheet", href: new URL("actions.css", import.meta.url).href }));
await Promise.all([addWords("actions"), load()]);
const tool = iconButton("M11 2L4 12h5l-1 6 7-10h-5z", "actions", open, { "aria-haspopup": "menu" });
addFirstTool(tool);
beginChosen();
beginSlash(open, choose);
beginOnText();
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
  const minded = notTaken(question.facts.taken);
  const changes = action.shown === "diff" && message.status === "done" && message.text;
  if (!answers.has(message)) {
    const shown = [changes && changesView(question.text, message.text), evidence && evidenceView(evidence)];
    answers.set(message, el("div", { class: changes ? "in-place" : "" }, shown, notesOf(minded, notes)));
  }
  return answers.get(message);
}
