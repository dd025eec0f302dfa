// The action that the next question is asked with: its fields above the text.

import { $, announce, attempt, button, el, iconButton } from "../dom.js";
import { say } from "../i18n.js";
import { modelsThat } from "../models.js";
import { choiceWord, remember, sorted, usualFields } from "./table.js";

const row = el("div", { id: "chosen-action", role: "group", hidden: true });
let chosen = null; // {action, fields}

/** Put the row on the page. */
export function begin() {
  $("#composer").before(row);
}

/** The action as a question is sent with it; null: none is chosen. */
export function chosenAction() {
  if (!chosen) return null;
  remember(chosen.action, chosen.fields);
  return asked({ name: chosen.action.name, fields: chosen.fields });
}

/** An action as a question is sent with it. What draws is asked for pictures, where that is known. */
export function asked(action) {
  const able = action.name === "picture" ? modelsThat("pictures") : [];
  const model = $("#model").value;
  return able.length && !able.includes(model) ? { action, models: [able[0]] } : { action };
}

/** Ask the next question with an action, or (null) as it stands. */
export function choose(action) {
  chosen = action && { action, fields: usualFields(action) };
  row.hidden = !chosen;
  row.replaceChildren(...(chosen ? drawn() : []));
  $("#question").placeholder = say(chosen ? `action_${action.name}_what` : "question");
  if (!chosen) return;
  row.setAttribute("aria-label", say(`action_${action.name}`));
  announce("action_chosen", { action: say(`action_${action.name}`) });
  $("#question").focus();
}

function drawn() {
  const { action } = chosen;
  const leave = iconButton("close", "action_leave", () => {
    choose(null);
    $("#question").focus();
  });
  const name = el("strong", {}, say(`action_${action.name}`));
  const document = action.documents ? [button("action_document", () => attempt(onDocument), "small")] : [];
  return [name, ...action.fields.map(field), ...document, leave];
}

async function onDocument() {
  const { action, fields } = chosen;
  const { askOnDocument } = await import("./on_document.js");
  if (!(await askOnDocument(action, fields))) return;
  remember(action, fields);
  choose(null);
  $("#question").focus();
}

function field(one) {
  const input = one.choices.length ? choices(one) : writing(one);
  const name = el("span", {}, say(`field_${one.name}`));
  return el("label", { class: one.choices.length ? "choice" : "writing" }, name, input);
}

function choices(one) {
  const options = sorted(one).map((choice) => new Option(choiceWord(one.name, choice), choice));
  const select = el("select", { onchange: ({ target }) => (chosen.fields[one.name] = target.value) });
  select.append(...options);
  select.value = chosen.fields[one.name];
  return select;
}

function writing({ name, characters }) {
  const keep = ({ target }) => (chosen.fields[name] = target.value);
  return el("textarea", { rows: "2", maxlength: characters, spellcheck: "false", oninput: keep });
}
