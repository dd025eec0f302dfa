// The actions that there are, with the words for them; and what was chosen before, by this browser.

import { read } from "../api.js";
import { knows, language, say } from "../i18n.js";

const remembered = (name) => `archipel.action.${name}`;
let languages = {};
let loading = null;

/** The actions in the server's order: {name, fields: [{name, choices, characters, below}], shown}. */
export let actions = [];

/** Load them, once, whoever asks. Raises ServiceError. */
export function load() {
  return (loading ??= loaded());
}

async function loaded() {
  ({ actions, languages } = await read("actions"));
}

/** The action of a name. */
export function actionOf(name) {
  return actions.find((one) => one.name === name);
}

/** The word for a choice of a field; a language has its own name. */
export function choiceWord(field, choice) {
  const key = `choice_${field}_${choice}`;
  return knows(key) ? say(key) : (languages[choice] ?? choice);
}

/** A field's choices as people look for them: what is special, then languages by name. */
export function sorted({ name, choices }) {
  const special = choices.filter((choice) => !languages[choice]);
  const spoken = choices.filter((choice) => languages[choice]);
  const order = new Intl.Collator(language);
  spoken.sort((one, other) => order.compare(choiceWord(name, one), choiceWord(name, other)));
  return [...special, ...spoken];
}

/** What the fields of an action begin with: as chosen before, else what suits the page's language. */
export function usualFields(action) {
  const before = parsed(localStorage.getItem(remembered(action.name)));
  const fit = { target: language, level: "usual" };
  if (["explain", "repair", "optimise"].includes(action.name)) fit.language = language;
  return Object.fromEntries(
    action.fields.map(({ name, choices }) => {
      const wanted = [before[name], fit[name]].find((one) => choices.includes(one));
      return [name, wanted ?? choices[0] ?? ""];
    }),
  );
}

/** Begin with these the next time; what was written is not kept. */
export function remember(action, fields) {
  const chosen = action.fields.filter(({ choices }) => choices.length).map(({ name }) => name);
  const kept = Object.fromEntries(chosen.map((name) => [name, fields[name]]));
  localStorage.setItem(remembered(action.name), JSON.stringify(kept));
}

/** An action with its choices, in a few words: "Translate · English". */
export function inWords({ name, fields }) {
  const action = actionOf(name);
  const choices = (action?.fields ?? []).filter((one) => one.choices.length);
  const told = choices
    .filter((field) => !["repair", "optimise"].includes(name) && !["detected", "same", "any"].includes(fields[field.name]))
    .map((field) => choiceWord(field.name, fields[field.name]));
  const seed = fields.seed && say("seed_chosen", { seed: fields.seed });
  return [say(`action_${name}`), ...told, seed].filter(Boolean).join(" · ");
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
