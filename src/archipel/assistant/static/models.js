// Which models answer, and where they run.

import { read, ServiceError } from "./api.js";
import { $, el, problem } from "./dom.js";
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
  });
  $("#second").addEventListener("change", fillSecond);
  on("branch", useLastModel);
  load();
}

/** The chosen models, once they are known: one, or two to compare. Raises ServiceError. */
export async function chosenModels() {
  await (store.models.length ? loading : load());
  if (!store.models.length) throw new ServiceError({ code: "no_models", message: store.host });
  return [$("#model").value, $("#second").value].filter(Boolean);
}

function load() {
  loading = read("models").then(show, (error) => {
    $("#problems").replaceChildren(problem(error, load));
  });
  return loading;
}

function show({ models, host, local }) {
  Object.assign(store, { models, host, local });
  $("#problems").replaceChildren();
  if (!models.length) {
    const error = new ServiceError({ code: "no_models", message: host });
    $("#problems").replaceChildren(problem(error, load));
  }
  $("#model").replaceChildren(...models.map((name) => new Option(name, name)));
  const before = localStorage.getItem(remembered);
  if (models.includes(before)) $("#model").value = before;
  useLastModel();
  fillSecond();
  showPlace();
  emit("models");
}

/** A conversation goes on with the model that answered last. */
function useLastModel() {
  const last = shownBranch().findLast(({ model }) => model)?.model;
  if (store.models.includes(last) && $("#second").value === "") $("#model").value = last;
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

function showPlace() {
  const { local, host } = store;
  const shown = local ? say("on_this_machine") : say("on_host", { host });
  const place = $("#place");
  place.replaceChildren(...(local ? [icon("plane")] : []), el("span", {}, shown));
  place.title = say(local ? "nothing_leaves" : "leaves_to", { host });
  place.classList.toggle("local", local);
  place.hidden = false;
}
