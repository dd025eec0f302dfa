// What can be done with a message, as buttons under it.

import { attempt, copyText, el, iconButton } from "./dom.js";
import { editQuestion } from "./editor.js";
import { number, say } from "./i18n.js";
import { openMenu } from "./menus.js";
import { chosenModels } from "./models.js";
import { emit, store } from "./store.js";
import { askAgain, fork, showBranch } from "./talk.js";
import { siblings } from "./tree.js";

const asked = ({ role }) => role === "user" && !store.readOnly;
const answered = ({ role }) => role === "assistant" && !store.readOnly;

const actions = [
  { icon: "copy", word: "copy", fits: () => true, run: copy },
  { icon: "edit", word: "edit", fits: asked, run: (message, pressed, view) => editQuestion(view) },
  { icon: "retry", word: "again", fits: answered, run: chooseModel },
  { icon: "fork", word: "fork", fits: answered, run: goToFork },
];

/** Add a button under messages: `icon`, `word`, `fits(message)` says under which, `run(message,
 * button)` does it. */
export function addMessageAction(action) {
  actions.push(action);
  emit("action", action);
}

/** The button of an action, as a list: none where it does not fit the view's message. */
export function toolOf({ icon, word, fits, run }, view) {
  const { message } = view;
  if (!fits(message)) return [];
  const pressed = ({ currentTarget }) => attempt(() => run(message, currentTarget, view));
  return [iconButton(icon, word, pressed)];
}

/** The buttons of a message's view. */
export function toolbar(view) {
  const { message } = view;
  const buttons = actions.flatMap((action) => toolOf(action, view));
  const attributes = { class: "toolbar", role: "group", "aria-label": say("message_actions") };
  return el("div", attributes, switcher(message), buttons);
}

/** ‹ 2/3 › where there are others in the message's place. */
function switcher(message) {
  const all = siblings(store.messages, message);
  if (all.length < 2) return null;
  const at = all.findIndex(({ id }) => id === message.id);
  const step = (name, word, to) =>
    iconButton(name, word, () => attempt(() => showAnother(all[to].id, word)), {
      disabled: !all[to],
    });
  const where = say("version_of", { at: number(at + 1), all: number(all.length) });
  const shown = el("span", { class: "version", role: "img", "aria-label": where });
  shown.textContent = `${number(at + 1)}/${number(all.length)}`;
  const before = step("left", "version_before", at - 1);
  const after = step("right", "version_after", at + 1);
  return el("span", { class: "versions" }, before, shown, after);
}

/** Show another message in its place; the focus goes to the same button there. */
async function showAnother(id, word) {
  const shown = showBranch(id);
  const selector = `#log [data-id="${id}"] .toolbar button`;
  requestAnimationFrame(() => {
    const buttons = [...document.querySelectorAll(selector)];
    const same = buttons.find((one) => one.ariaLabel === say(word) && !one.disabled);
    (same ?? buttons.find((one) => !one.disabled))?.focus();
  });
  await shown;
}

function copy({ text }, pressed) {
  return copyText(text, pressed);
}

async function chooseModel(message, pressed) {
  const [chosen] = await chosenModels();
  const others = store.models.filter((name) => name !== chosen);
  const run = (model) => () => askAgain(message.parent, [model]);
  if (!others.length) return run(chosen)();
  const items = [chosen, ...others].map((name) => ({
    text: say("again_with", { model: name }),
    run: run(name),
  }));
  return openMenu(pressed, items);
}

async function goToFork(message) {
  location.hash = `#/c/${await fork(message.id)}`;
}
