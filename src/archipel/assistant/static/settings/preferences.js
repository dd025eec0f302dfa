// How the assistant is to answer: tone, instructions, the model to begin with.

import { send } from "../api.js";
import { announce, button, el, field, problem } from "../dom.js";
import { number, say } from "../i18n.js";
import { preferModel } from "../models.js";
import { on, store } from "../store.js";

/** The part of the panel, which is left when `signal` ends. */
export function preferencesPart({ instructions, tone, tones, model, most }, signal) {
  const problems = el("div");
  const text = el("textarea", { rows: "6", maxlength: most, dir: "auto", value: instructions });
  const hint = say("instructions_hint", { most: number(most) });
  const saveText = () => save(problems, { instructions: text.value });
  const first = select(models(model), model ?? "", (chosen) => saveModel(problems, chosen || null));
  on("models", () => first.replaceChildren(...options(models(first.value), first.value)), signal);
  return el(
    "section",
    { class: "stack" },
    el("h3", {}, say("settings_answers")),
    field("tone", select(tones.map((one) => [one, say(`tone_${one}`)]), tone, (chosen) => save(problems, { tone: chosen }))),
    field("first_model", first),
    field("instructions", text),
    el("p", { class: "hint" }, hint),
    button("save", saveText, "primary"),
    problems,
  );
}

function models(chosen) {
  const known = store.models.includes(chosen) || !chosen ? store.models : [chosen, ...store.models];
  return [["", say("first_of_service")], ...known.map((name) => [name, name])];
}

function select(choices, chosen, changed) {
  return el("select", { onchange: ({ target }) => changed(target.value) }, options(choices, chosen));
}

function options(choices, chosen) {
  return choices.map(([value, text]) => el("option", { value, selected: value === chosen }, text));
}

async function saveModel(problems, model) {
  if (await save(problems, { model })) preferModel(model);
}

async function save(problems, change) {
  problems.replaceChildren();
  try {
    await send("PATCH", "preferences", change);
    announce("saved");
    return true;
  } catch (error) {
    problems.replaceChildren(problem(error, () => save(problems, change)));
    return false;
  }
}
