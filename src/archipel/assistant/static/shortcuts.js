// What the keyboard does, and the sheet that says it.

import { stopAnswers } from "./composer.js";
import { tell } from "./dialogs.js";
import { $, copyText, el } from "./dom.js";
import { closeDrawer, showSidebar, toggleSidebar } from "./drawer.js";
import { editQuestion } from "./editor.js";
import { say } from "./i18n.js";
import { step } from "./list.js";
import { closeBeside } from "./panels.js";
import { store } from "./store.js";
import { lastView } from "./transcript.js";

const shortcuts = [
  { keys: "Ctrl+Shift+O", word: "new_chat", run: newChat },
  { keys: "Ctrl+K", word: "search", run: goToSearch },
  { keys: "Alt+ArrowUp", word: "conversation_before", run: () => step(-1) },
  { keys: "Alt+ArrowDown", word: "conversation_after", run: () => step(1) },
  { keys: "Ctrl+Shift+E", word: "edit_last", run: editLast },
  { keys: "Ctrl+Shift+C", word: "copy_last", run: copyLast },
  { keys: "Ctrl+Shift+S", word: "sidebar_toggle", run: toggleSidebar },
  { keys: "Shift+Escape", word: "question_focus", run: () => $("#question").focus() },
  { keys: "Escape", word: "stop", run: escape },
  { keys: "Ctrl+/", word: "shortcuts", run: showShortcuts },
];

/** Add a shortcut: `keys` as "Ctrl+Shift+O" (Ctrl is also a Mac's ⌘), `word`, `run()`. */
export function addShortcut(shortcut) {
  shortcuts.push(shortcut);
}

/** Listen to the keyboard. */
export function begin() {
  document.addEventListener("keydown", pressed);
  $("#skip").addEventListener("click", (event) => {
    event.preventDefault();
    $("#question").focus();
  });
}

/** The sheet. */
export function showShortcuts() {
  const rows = shortcuts.map(({ keys, word }) => [keysShown(keys), el("dd", {}, say(word))]);
  tell(say("shortcuts"), el("dl", { class: "shortcuts" }, rows));
}

function pressed(event) {
  if (event.defaultPrevented || document.querySelector("dialog[open], :popover-open")) return;
  const writing = event.target.matches("input, textarea, select");
  if (event.key === "?" && !writing) return run(event, showShortcuts);
  const found = shortcuts.find(({ keys }) => matches(event, keys.split("+")));
  if (found) run(event, found.run);
}

function run(event, act) {
  event.preventDefault();
  act();
}

/** Whether the keys are those pressed; signs may need Shift, as "/" does on French keyboards. */
function matches(event, keys) {
  const key = keys.at(-1);
  const shift = /^[A-Z]/.test(key) ? event.shiftKey === keys.includes("Shift") : true;
  const command = (event.ctrlKey || event.metaKey) === keys.includes("Ctrl");
  const alt = event.altKey === keys.includes("Alt");
  return shift && command && alt && event.key.toLowerCase() === key.toLowerCase();
}

function keysShown(keys) {
  const names = { Ctrl: "key_ctrl", Shift: "key_shift", Escape: "key_escape", Alt: "key_alt" };
  const signs = { ArrowUp: "↑", ArrowDown: "↓" };
  const shown = keys.split("+").map((key) => (names[key] ? say(names[key]) : (signs[key] ?? key)));
  return el("dt", {}, shown.map((key) => el("kbd", {}, key)));
}

function newChat() {
  location.hash = "#/";
  $("#question").focus();
}

function goToSearch() {
  showSidebar(true);
  $("#search").focus();
}

function editLast() {
  const view = store.readOnly ? null : lastView(({ role }) => role === "user");
  view?.drawNear();
  if (view) editQuestion(view);
}

function copyLast() {
  const view = lastView(({ role }) => role === "assistant");
  if (view) copyText(view.message.text, null);
}

function escape() {
  if (closeBeside() || closeDrawer()) return;
  if (store.growing.size) stopAnswers();
}
