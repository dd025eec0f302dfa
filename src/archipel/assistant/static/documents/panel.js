// One's documents: the collections, and what is in one of them.

import "./prepared.js";
import { part, read, send } from "../api.js";
import { ask } from "../dialogs.js";
import { attempt, button, el, field, iconButton } from "../dom.js";
import { knows, moment, number, say } from "../i18n.js";
import { add, dropZone, underWay } from "./adding.js";
import { askOf, called, hasFolders, known, load } from "./collections.js";
import { sharing } from "./sharing.js";

const doIcon = "M4 5h9M4 9h6M4 13h5M14 9l1 3 3 1-3 1-1 3-1-3-3-1 3-1z";

/** Fill `root` with the collections, or with one of them: `what` is its id. */
export async function show(root, { what }) {
  const collections = await load();
  const collection = collections.find(({ id }) => String(id) === what);
  const view = el("div", { class: "documents" });
  root.replaceChildren(view);
  if (collection) await showOne(view, collection);
  else showAll(view, collections);
}

function showAll(view, collections) {
  const title = el("h2", { tabindex: "-1" }, say("collections"));
  const item = (one) => el("li", {}, el("a", { href: `#/documents/${one.id}`, dir: "auto" }, called(one)), shared(one));
  view.append(
    title,
    el("p", {}, say("documents_explained")),
    collections.length ? el("ul", {}, collections.map(item)) : dropZone(begin),
    el("div", {}, button("collection_new", make)),
    hasFolders() && el("p", {}, el("a", { href: "#/files" }, say("files_search"))),
  );

  async function begin(files) {
    const { id } = (await attempt(() => send("POST", "collections", { name: say("collection_first") }))) ?? {};
    if (!id || !files.length) return;
    location.assign(`#/documents/${id}`);
    add(id, files, () => redraw(id));
  }
}

function shared({ project }) {
  return project && [" ", el("span", { class: "shared", dir: "auto" }, say("collection_shared", { project }))];
}

function make() {
  return named("collection_new", "", async (name) => {
    const { id } = await send("POST", "collections", { name });
    location.assign(`#/documents/${id}`);
  });
}

function named(word, name, keep) {
  const input = el("input", { value: name, maxlength: 120, required: true, dir: "auto" });
  return ask(say(word), field("collection_name", input), "save", () => keep(input.value));
}

async function showOne(view, collection) {
  const { id, may } = collection;
  let { name } = collection;
  const title = el("h2", { tabindex: "-1", dir: "auto" }, called(collection));
  const list = el("div", { "data-collection": id });
  const actions = el(
    "div",
    { class: "actions" },
    button("collection_ask", () => askOf(id), "primary"),
    may === "own" && [button("collection_rename", rename), button("collection_delete", erase, "danger")],
  );
  const all = el("a", { href: "#/documents" }, say("collections"));
  view.append(all, title, sharing(collection), actions);
  if (may !== "read") view.append(dropZone((files) => files.length && add(id, files, () => redraw(id))), underWay);
  view.append(list);
  await redraw(id);

  async function rename() {
    await named("collection_rename", name, async (given) => {
      ({ name } = await send("PATCH", `collections/${id}`, { name: given }));
      title.textContent = name;
      await load();
    });
  }

  async function erase() {
    const warning = el("p", {}, say("collection_delete_warning", { name }));
    const gone = () => send("DELETE", `collections/${id}`);
    if (!(await ask(say("collection_delete"), warning, "delete", gone, "danger"))) return;
    await load();
    location.assign("#/documents");
  }
}

/** Show what a collection has now, if it is on the page. */
async function redraw(id) {
  const list = document.querySelector(`[data-collection="${id}"]`);
  if (!list) return;
  const { documents } = await read(`collections/${id}/documents`);
  list.replaceChildren(documents.length ? table(documents, id) : el("p", {}, say("collection_empty")));
}

function table(documents, collection) {
  const mayDelete = known().find(({ id }) => id === collection)?.may !== "read";
  const heads = ["document_name", "document_state", "document_added", "document_acts"];
  const head = el("tr", {}, heads.map((word) => el("th", { scope: "col" }, say(word))));
  const body = documents.map((one) => row(one, collection, mayDelete));
  const inside = el("table", {}, el("thead", {}, head), el("tbody", {}, body));
  const attributes = { class: "scroll", role: "region", tabindex: "0", "aria-label": say("panel_documents") };
  return el("div", attributes, inside);
}

function row(document, collection, mayDelete) {
  const { id, name, status, bytes, added } = document;
  const size = say("document_size", { size: number(bytes / 1024, { maximumFractionDigits: 0 }) });
  const erase = async () => {
    const warning = el("p", { dir: "auto" }, say("document_delete_warning", { name }));
    const gone = () => send("DELETE", `documents/${id}`);
    if (await ask(say("document_delete"), warning, "delete", gone, "danger")) await redraw(collection);
  };
  const labelled = (word) => ({ "aria-label": say(word, { name }), title: say(word, { name }) });
  const act = async (opener) => {
    const { openActions } = await part(() => import("../actions/on_document.js"));
    openActions(opener, id);
  };
  return el(
    "tr",
    {},
    el("td", { dir: "auto" }, el("a", { href: `api/documents/${id}/file`, download: "" }, name)),
    el("td", { class: status }, say(`document_${status}_state`), problemOf(document)),
    el("td", {}, moment(added, { dateStyle: "medium" }), " ", size),
    el(
      "td",
      { class: "acts" },
      status === "ready" && iconButton(doIcon, "document_acts", ({ currentTarget }) => attempt(() => act(currentTarget)), labelled("document_act_named")),
      mayDelete && iconButton("close", "document_delete", erase, labelled("document_delete_named")),
    ),
  );
}

/** Why it can't be read, in the page's words where it has them, then in the server's. */
function problemOf({ problem }) {
  if (!problem) return null;
  const key = `document_problem_${problem.code}`;
  return el("p", { dir: "auto" }, knows(key) ? `${say(key)} (${problem.message})` : problem.message);
}
