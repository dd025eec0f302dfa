// An action on a document in a text's place: one of a collection, or a file that is added to it.

import "./actions.js";
import "../documents/prepared.js";
import { read, send, ServiceError } from "../api.js";
import { askQuestion } from "../composer.js";
import { ask } from "../dialogs.js";
import { attempt, el, field } from "../dom.js";
import { number, say } from "../i18n.js";
import { called, load } from "../documents/collections.js";
import { upload } from "../documents/upload.js";
import { asked } from "./chosen.js";
import { openOffered } from "./on_text.js";

/** Open the menu of what can be done with a document, each in a conversation of its own. */
export function openActions(opener, document) {
  return openOffered(opener, (action) => {
    const act = () => askQuestion("", undefined, asked({ ...action, document }));
    addEventListener("hashchange", act, { once: true });
    location.assign("#/");
  });
}

/** Let the person choose a document, and ask with the action on it, `model` if one is chosen. Gives
 * whether that was done. */
export async function askOnDocument({ name, characters, files }, fields, model) {
  const collections = await load();
  const where = el("select", { dir: "auto", onchange: () => attempt(showWhich) }, collections.map((one) => new Option(called(one), one.id)));
  const which = el("select", { dir: "auto" });
  const file = el("input", { type: "file", onchange: require });
  const given = field(collections.length ? "on_document_file" : "on_document_first", file);
  const bar = el("progress", { max: "1", hidden: true });
  const listed = collections.length > 0 && [field("on_document_collection", where), field("on_document_which", which)];
  const limit = el("p", {}, say("on_document_limit", { count: number(characters) }));
  const back = el("input", { type: "checkbox", onchange: () => (limit.hidden = back.checked) });
  const choice = el("label", { class: "switch", hidden: !files }, back, el("span", {}, say("on_document_back")));
  if (collections.length) await showWhich();
  require();
  const title = say("on_document", { action: say(`action_${name}`) });
  return ask(title, el("div", { class: "stack" }, listed, given, bar, choice, limit), `action_${name}`, act);

  async function showWhich() {
    const chosen = where.value;
    which.replaceChildren();
    const { documents } = await read(`collections/${chosen}/documents`);
    if (where.value !== chosen) return;
    const ready = documents.filter(({ status }) => status === "ready");
    which.replaceChildren(...ready.map((one) => new Option(one.name, one.id)));
    given.hidden = collections.find(({ id }) => String(id) === chosen).may === "read";
    if (given.hidden) file.value = "";
    choice.hidden = !files || given.hidden;
    if (choice.hidden) back.checked = limit.hidden = false;
    require();
  }

  function require() {
    which.required = collections.length > 0 && !file.files.length;
    file.required = !collections.length;
  }

  async function act() {
    const [added] = file.files;
    const document = added ? await add(added) : Number(which.value);
    await askQuestion("", undefined, asked({ name, fields, document, file: back.checked }, model));
  }

  async function add(added) {
    Object.assign(bar, { hidden: false, ariaLabel: say("document_under_way", { name: added.name }) });
    try {
      const collection = where.value || (await send("POST", "collections", { name: say("collection_first") })).id;
      const { id, problem } = await upload(collection, added, (share) => (bar.value = share));
      if (problem) throw new ServiceError(problem);
      return id;
    } finally {
      bar.hidden = true;
    }
  }
}
