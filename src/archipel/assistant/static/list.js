// One's conversations beside the page: pinned ones, folders, then the newest first, page by page.

import { read } from "./api.js";
import { conversationMenu } from "./conversation_menu.js";
import { dayOf } from "./days.js";
import { $, attempt, button, el, iconButton, problem } from "./dom.js";
import { folderMenu, makeFolder } from "./folders.js";
import { say } from "./i18n.js";
import { openMenu } from "./menus.js";
import { on, store } from "./store.js";
import { hearTabs } from "./tabs.js";

const page = 50;
const loose = 0; // the list of those that are in no folder
const root = $("#list");
let pinned = [];
let lists = new Map(); // by folder: {rows, more}
let asked = 0; // how often all was asked for; the last answer counts
let answered = 0;
const open = new Set(); // folders

const end = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && loadMore(loose));

/** Load the list, and keep it as things change. */
export function begin() {
  on("changed", changed);
  on("erased", erased);
  on("branch", markOpen);
  on("folders", loadAll);
  hearTabs(loadAll);
  loadAll();
}

/** The conversation before or after the open one in the list: go there. */
export function step(by) {
  const links = [...root.querySelectorAll("a[data-id]")];
  const at = links.findIndex((link) => link.ariaCurrent === "page");
  const to = at < 0 ? links[0] : links[at + by];
  if (to) location.hash = to.hash;
}

async function loadAll() {
  const mine = (asked += 1);
  try {
    const [first, { folders }] = await Promise.all([fetchPage(loose), read("folders")]);
    const opened = [...open].filter((id) => folders.some((one) => one.id === id));
    const pages = await Promise.all(opened.map((id) => fetchPage(id)));
    if (mine !== asked) return;
    answered = mine;
    store.folders = folders;
    pinned = first.pinned;
    lists = new Map([[loose, listed(first)], ...opened.map((id, at) => [id, listed(pages[at])])]);
    draw();
  } catch (error) {
    if (mine === asked) root.replaceChildren(problem(error, loadAll));
  }
}

function fetchPage(folder, last = null) {
  const before = last && `${last.changed},${last.id}`;
  return read("conversations", { folder, limit: page, before });
}

function listed({ conversations }) {
  return { rows: conversations, more: conversations.length === page };
}

async function loadMore(folder) {
  const list = lists.get(folder);
  if (!list?.more || list.loading) return;
  list.loading = true;
  const next = await attempt(() => fetchPage(folder, list.rows.at(-1)));
  list.loading = false;
  if (!next) return;
  list.rows.push(...next.conversations);
  list.more = listed(next).more;
  draw();
}

async function openFolder(id, shown) {
  if (!shown) return open.delete(id);
  if (open.has(id)) return;
  open.add(id);
  const first = await attempt(() => fetchPage(id));
  if (first) lists.set(id, listed(first));
  draw();
}

function changed(conversation) {
  take(conversation.id);
  const list = lists.get(conversation.folder ?? loose);
  if (list) list.rows = [...list.rows, conversation].sort(newestFirst);
  if (conversation.pinned !== null) {
    pinned = [...pinned, conversation].sort((one, other) => other.pinned - one.pinned);
  }
  drawChange();
}

function erased(id) {
  take(id);
  drawChange();
}

/** What is still on its way may be from before the change: ask for it again. */
function drawChange() {
  draw();
  if (answered < asked) loadAll();
}

function take(id) {
  const others = (rows) => rows.filter((one) => one.id !== id);
  for (const list of lists.values()) list.rows = others(list.rows);
  pinned = others(pinned);
}

function newestFirst(one, other) {
  return other.changed - one.changed || other.id - one.id;
}

function draw() {
  if (!lists.has(loose)) return; // not loaded yet
  const focused = root.contains(document.activeElement) && document.activeElement.dataset.focus;
  const groups = Object.entries(Object.groupBy(lists.get(loose).rows.filter(notPinned), byDay));
  const sentinel = el("div", { class: "end" });
  root.replaceChildren(
    ...(pinned.length ? [group(say("group_pinned"), pinned)] : []),
    folderGroup(),
    ...groups.map(([day, rows]) => group(say(`group_${day}`), rows)),
    sentinel,
  );
  end.disconnect();
  if (lists.get(loose).more) end.observe(sentinel);
  markOpen();
  if (focused) root.querySelector(`[data-focus="${focused}"]`)?.focus();
}

function notPinned({ pinned }) {
  return pinned === null;
}

function byDay({ changed }) {
  return dayOf(changed, new Date());
}

function group(title, rows) {
  return el("section", {}, el("h2", {}, title), el("ul", {}, rows.map(row)));
}

function row(conversation) {
  const { id, title } = conversation;
  const shown = title || say("untitled");
  const link = { href: `#/c/${id}`, dir: "auto", "data-id": id, "data-focus": `link-${id}` };
  const open = ({ currentTarget }) => openMenu(currentTarget, conversationMenu(conversation));
  const more = iconButton("more", "conversation_actions", open, { "data-focus": `more-${id}` });
  more.setAttribute("aria-label", say("actions_of", { title: shown }));
  return el("li", {}, el("a", link, shown), more);
}

function folderGroup() {
  const add = iconButton("add", "folder_new", makeFolder, { "data-focus": "folder-new" });
  const head = el("div", { class: "head" }, el("h2", {}, say("group_folders")), add);
  return el("section", { class: "folders" }, head, store.folders.map(folderView));
}

function folderView({ id, name }) {
  const list = lists.get(id);
  const openIts = ({ currentTarget }) => openMenu(currentTarget, folderMenu({ id, name }));
  const more = iconButton("more", "folder_actions", openIts, { "data-focus": `folder-more-${id}` });
  more.setAttribute("aria-label", say("actions_of", { title: name }));
  const next = list?.more && button("more", () => loadMore(id), "small");
  const none = list && !list.rows.length && el("p", { class: "none" }, say("folder_empty"));
  const summary = el("summary", { dir: "auto", "data-focus": `folder-${id}` }, name);
  const its = el("ul", {}, list?.rows.map(row));
  const details = el("details", { open: open.has(id) }, summary, its, none, next);
  details.addEventListener("toggle", () => openFolder(id, details.open));
  return el("div", { class: "folder" }, details, more);
}

function markOpen() {
  const id = store.conversation?.id;
  for (const link of root.querySelectorAll("a[data-id]")) {
    if (Number(link.dataset.id) === id) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}
