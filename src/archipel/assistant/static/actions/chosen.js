// The action that the next question is asked with: its fields above the text.

import { part } from "../api.js";
import { $, announce, attempt, button, el, iconButton } from "../dom.js";
import { say } from "../i18n.js";
import { modelsThat } from "../models.js";
import { emit, on, store } from "../store.js";
import { bestAt, taskOf } from "./routing.js";
import { choiceWord, remember, sorted, usualFields } from "./table.js";

const row = el("div", { id: "chosen-action", role: "group", hidden: true });
const by = el("span", { class: "by" });
let chosen = null; // {action, fields, model}: the model that the person chose for it, if one

/** Put the row on the page. */
export function begin() {
  $("#composer").before(row);
  on("models", drawModel);
  for (const chooser of [$("#model"), $("#second")]) chooser.addEventListener("change", drawModel);
}

/** The action as a question is sent with it; null: none is chosen. */
export function chosenAction() {
  if (!chosen) return null;
  if (!chosen.given) remember(chosen.action, chosen.fields);
  return asked({ name: chosen.action.name, fields: chosen.fields }, chosen.model);
}

/** An action as a question is sent with it: to `model`, or to the one that is best at it, where the
 * service tells that. */
export function asked(action, model = modelFor(action)) {
  return model ? { action, models: [model] } : { action };
}

/** What draws for a picture, what is made for another action; nobody: whoever is chosen. Two that are
 * compared stay two. */
function modelFor(action) {
  const current = $("#model").value;
  if (action.name !== "picture") {
    return $("#second").value ? null : bestAt(action, store.models, store.about, current);
  }
  const able = modelsThat("pictures");
  return able.includes(current) ? null : able[0];
}

/** Ask the next question with an action, or (null) as it stands; with `given`, fields as they are for
 * this once. */
export function choose(action, given = null) {
  chosen = action && { action, fields: { ...usualFields(action), ...given }, model: undefined, given };
  emit("chosen", action);
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
  drawModel();
  return [name, ...action.fields.map(field), by, ...document, leave];
}

/** Which model the action goes to and why, where the service tells who is made for it; the person
 * may choose another. */
function drawModel() {
  by.replaceChildren();
  if (!chosen) return;
  const action = { name: chosen.action.name, fields: chosen.fields };
  if ($("#second").value) chosen.model = undefined;
  else if (store.models.some((model) => reason(model, action))) by.append(...chooser(action));
}

function chooser(action) {
  const choose = ({ target }) => {
    chosen.model = target.value;
    drawModel();
    by.querySelector("select").focus();
  };
  const select = el("select", { onchange: choose }, store.models.map((name) => new Option(name, name)));
  select.value = chosen.model ?? modelFor(action) ?? $("#model").value;
  const label = el("label", { class: "choice" }, el("span", {}, say("done_by")), select);
  return [label, el("span", { class: "why" }, reason(select.value, action))];
}

/** Why a model is asked for an action: it is made for that; or nothing is said. */
export function reason(model, action) {
  const task = taskOf(action, store.about[model]);
  return task && say("made_for", { task: say(`task_${task}`) });
}

async function onDocument() {
  const { action, fields, model } = chosen;
  const { askOnDocument } = await part(() => import("./on_document.js"));
  if (!(await askOnDocument(action, fields, model))) return;
  remember(action, fields);
  choose(null);
  $("#question").focus();
}

function field(one) {
  const input = one.choices.length ? choices(one) : writing(one);
  const name = el("span", {}, say(`field_${one.name}`));
  return el("label", { class: one.choices.length || one.below ? "choice" : "writing" }, name, input);
}

/** A whole number below `below`, or nothing. */
function counting(name, below) {
  const keep = ({ target }) => {
    const digits = target.value.replace(/\D/g, "");
    target.value = digits && Number(digits) >= below ? String(below - 1) : digits;
    chosen.fields[name] = target.value;
  };
  const about = { type: "text", inputmode: "numeric", autocomplete: "off", size: 10, placeholder: say("seed_any") };
  return el("input", { ...about, value: chosen.fields[name], oninput: keep });
}

function choices(one) {
  const options = sorted(one).map((choice) => new Option(choiceWord(one.name, choice), choice));
  const keep = ({ target }) => {
    chosen.fields[one.name] = target.value;
    drawModel();
  };
  const select = el("select", { onchange: keep });
  select.append(...options);
  select.value = chosen.fields[one.name];
  return select;
}

function writing({ name, characters, below }) {
  if (below) return counting(name, below);
  const keep = ({ target }) => (chosen.fields[name] = target.value);
  return el("textarea", { rows: "2", maxlength: characters, spellcheck: "false", oninput: keep });
}
