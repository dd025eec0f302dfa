// How the assistant is to answer: tone, instructions, the model to begin with.

import { send } from "../api.js";
import { announce, button, el, field, problem } from "../dom.js";
import { number, say } from "../i18n.js";
import { preferModel } from "../models.js";
import { store } from "../store.js";

/** The part of the panel. */
export function preferencesPart({ instructions, tone, tones, model, most }) {
  const problems = el("div");
  const text = el("textarea", { rows: "6", maxlength: most, dir: "auto", value: instructions });
  const hint = say("instructions_hint", { most: number(most) });
  const saveText = () => save(problems, { instructions: text.value });
  return el(
    "section",
    { class: "stack" },
    el("h3", {}, say("settings_answers")),
    field("tone", select(tones.map((one) => [one, say(`tone_${one}`)]), tone, (chosen) => save(problems, { tone: chosen }))),
    field("first_model", select(models(model), model ?? "", (chosen) => saveModel(problems, chosen || null))),
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
  const options = choices.map(([value, text]) => el("option", { value, selected: value === chosen }, text));
  return el("select", { onchange: ({ target }) => changed(target.value) }, options);
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
