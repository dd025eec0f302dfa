// Other pages of the assistant: one at #/NAME in the conversation's place, or one beside it.
//
// A panel's module has `show(root, { what, signal, close })`: it fills `root`; `what` is the rest
// of the address, or what `openBeside` was given; `signal` ends when the panel is left.

import { part } from "./api.js";
import { $, el, iconButton, problem } from "./dom.js";
import { say } from "./i18n.js";

/** The panels by name: `icon` for the sidebar (null: not listed there), and the module. The word
 * `panel_NAME` of the languages is the name that people read. */
export const panels = {
  transfer: {
    icon: "M7 16V4M4 7l3-3 3 3M13 4v12M10 13l3 3 3-3",
    load: () => import("./transfer/panel.js"),
  },
  documents: {
    icon: "M5 3h7l3 3v11H5zM12 3v3h3M7.500 10h5M7.500 13h5",
    load: () => import("./documents/panel.js"),
  },
  connect: {
    icon: "M7 2.500v4M13 2.500v4M4.500 6.500h11v3a5.500 5.500 0 01-11 0zM10 15v3",
    load: () => import("./connect/panel.js"),
  },
  source: { icon: null, load: () => import("./documents/source.js") },
  files: { icon: null, load: () => import("./documents/files.js") },
  settings: { icon: "settings", load: () => import("./settings/panel.js") },
};

let leaving = new AbortController();
let returnTo = null;

/** Show the panel `name` in the conversation's place. */
export async function openWhole(name, what) {
  closeBeside();
  await fill($("#whole"), name, { what, close: () => location.assign("#/") });
}

/** Show the panel `name` beside the conversation; focus comes back when it is closed. */
export async function openBeside(name, what) {
  returnTo = document.activeElement;
  const root = $("#beside");
  const content = el("div", { class: "content" });
  const head = el("h2", {}, say(`panel_${name}`));
  const close = iconButton("close", "close", closeBeside);
  root.replaceChildren(el("div", { class: "head" }, head, close), content);
  root.setAttribute("aria-label", say(`panel_${name}`));
  root.hidden = false;
  close.focus();
  await fill(content, name, { what, close: closeBeside });
}

/** Leave them all: a conversation is shown, with nothing beside it. */
export function leavePanels() {
  leaving.abort();
  closeBeside();
}

/** Close the panel beside the conversation; gives whether there was one. */
export function closeBeside() {
  const root = $("#beside");
  if (root.hidden) return false;
  leaving.abort();
  root.hidden = true;
  root.replaceChildren();
  returnTo?.focus();
  returnTo = null;
  return true;
}

/** Each has an element of its own in `root`, so that one that comes late fills no other's. */
async function fill(root, name, given) {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const own = el("div");
  root.replaceChildren(own);
  try {
    const { show } = await part(panels[name].load);
    if (!signal.aborted) await show(own, { ...given, signal });
  } catch (error) {
    if (signal.aborted) return;
    own.replaceChildren(problem(error, () => fill(root, name, given)));
  }
}
