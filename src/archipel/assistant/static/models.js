// Which models answer, and where they run.

import { read, ServiceError } from "./api.js";
import { modelsTable, placeWord } from "./about.js";
import { tell } from "./dialogs.js";
import { $, el, showProblem } from "./dom.js";
import { say } from "./i18n.js";
import { icon } from "./icons.js";
import { emit, on, store } from "./store.js";
import { shownBranch } from "./talk.js";

const remembered = "archipel.model";
let loading = null;

/** Load the models and let the person choose. */
export function begin() {
  $("#model").addEventListener("change", ({ target }) => {
    localStorage.setItem(remembered, target.value);
    fillSecond();
    showPlace();
  });
  $("#second").addEventListener("change", fillSecond);
  on("branch", useLastModel);
  load();
}

/** Begin with another model from now on; null: with the service's first. */
export function preferModel(name) {
  if (name === null) localStorage.removeItem(remembered);
  else localStorage.setItem(remembered, name);
}

/** The chosen models, once they are known: one, or two to compare. Raises ServiceError. */
export async function chosenModels() {
  await loading;
  if (!store.models.length) await load();
  if (!store.models.length) throw noModels();
  return [$("#model").value, $("#second").value].filter(Boolean);
}

/** The models of which the service says that they can do something. */
export function modelsThat(ability) {
  return store.models.filter((name) => store.about[name]?.abilities?.includes(ability));
}

/** Whether the service says of the chosen model what it can do, and this is not among it. */
export function cannot(ability) {
  const abilities = store.about[$("#model").value]?.abilities;
  return Boolean(abilities) && !abilities.includes(ability);
}

function load() {
  loading = read("models").then(show, (error) => showProblem(error, again));
  return loading;
}

function again() {
  $("#problems").replaceChildren();
  return load();
}

function show({ models, about, host, local, preferred }) {
  Object.assign(store, { models, about, host, local, preferred });
  if (!models.length) showProblem(noModels(), again);
  $("#model").replaceChildren(...models.map((name) => new Option(name, name)));
  useLastModel();
  fillSecond();
  showPlace();
  emit("models");
}

/** A conversation goes on with the model that answered last, unless it is not one to talk to; a new
 * one begins with the one that was chosen last. */
function useLastModel() {
  const drew = ({ parent }) => store.messages.get(parent)?.facts.action?.name === "picture";
  const talks = ({ model }) => store.about[model]?.tasks?.includes("chat") ?? true;
  const last = shownBranch().findLast((one) => one.model && talks(one) && !drew(one))?.model;
  const wanted = last ?? localStorage.getItem(remembered) ?? store.preferred;
  if (!store.models.includes(wanted) || $("#second").value) return;
  $("#model").value = wanted;
  fillSecond();
  showPlace();
}

function noModels() {
  return new ServiceError({ code: "no_models", message: store.host });
}

/** The second model is another one than the first, or none. */
function fillSecond() {
  const others = store.models.filter((name) => name !== $("#model").value);
  const before = $("#second").value;
  const none = new Option(say("compare_none"), "");
  $("#second").replaceChildren(none, ...others.map((name) => new Option(name, name)));
  $("#second").value = others.includes(before) ? before : "";
  $("#second").hidden = !others.length;
  $("#second").classList.toggle("chosen", $("#second").value !== "");
}

/** Where the chosen model runs; a press tells more of all. */
function showPlace() {
  const { place = null, supplier = null } = store.about[$("#model").value] ?? {};
  const shown = placeWord(place, supplier);
  const label = say("models_about", { shown });
  const open = () => tell(say("models_title"), modelsTable());
  const content = [place === "machine" && icon("plane"), el("span", {}, shown)];
  const attributes = { type: "button", "aria-label": label, title: detail(place, supplier) };
  $("#place").replaceChildren(el("button", { ...attributes, onclick: open }, content));
  $("#place").classList.toggle("local", place === "machine");
  $("#place").hidden = false;
}

/** What a place means for what one asks. */
function detail(place, supplier) {
  if (place === "machine") return say("nothing_leaves");
  if (place === "house") return say("leaves_to_house");
  if (place === "supplier") return say("leaves_to_supplier", { supplier: supplier ?? say("at_supplier") });
  return store.local ? say("place_unknown_detail") : say("leaves_to", { host: store.host });
}
