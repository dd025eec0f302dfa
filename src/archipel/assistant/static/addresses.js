// What the address says: #/ a new conversation, #/c/12 one, #/c/12/345 one at a message, #/s/TOKEN
// one that somebody shares, #/NAME… a panel.

import { $, announce, showProblem } from "./dom.js";
import { say } from "./i18n.js";
import { leavePanels, openWhole, panels } from "./panels.js";
import { emit, on, store } from "./store.js";
import { hearTabs } from "./tabs.js";
import { openConversation, openNew, openShared, stay } from "./talk.js";
import { goTo, goToEnd } from "./scroll.js";

let shown = ""; // the address of what the page shows; another one's event is still to come
let followed = 0; // the last of several addresses wins

/** Follow the address from now on. */
export async function begin() {
  addEventListener("hashchange", show);
  on("changed", ({ id }) => {
    if (id !== store.conversation?.id || document.body.classList.contains("panel")) return;
    if (location.hash.startsWith("#/") && location.hash !== shown) return;
    history.replaceState(null, "", `#/c/${id}`);
    shown = location.hash;
    nameTab();
  });
  hearTabs(refresh);
  await show();
}

/** Another tab changed a conversation: read it again if it is open, and nobody edits in it. */
async function refresh(id) {
  if (id === null || store.conversation?.id !== id || $("#log .editor")) return;
  await openConversation(id).catch(() => {}); // it is gone, or the assistant is: what is here stays
}

/** The address as its parts. */
function place() {
  const [part, ...rest] = location.hash.slice(2).split("/");
  return { part, rest };
}

async function show() {
  if (location.hash && !location.hash.startsWith("#/")) return;
  shown = location.hash;
  const mine = (followed += 1);
  const { part, rest } = place();
  const whole = Object.hasOwn(panels, part);
  document.body.classList.toggle("panel", whole);
  $("#whole").hidden = !whole;
  $("#whole").replaceChildren();
  $("#problems").replaceChildren();
  if (!whole) leavePanels();
  emit("place", part);
  try {
    await (whole ? openWhole(part, rest.join("/")) : openTalk(part, rest));
    if (mine !== followed) return;
    if (part === "c") arrive(rest);
  } catch (error) {
    if (mine !== followed) return;
    openNew();
    showProblem(error, show);
  }
  nameTab(whole ? say(`panel_${part}`) : null);
}

async function openTalk(part, [first, message]) {
  if (part === "s") return await openShared(first);
  if (part !== "c") return openNew();
  const id = Number(first);
  if (store.conversation?.id === id && !message) return stay();
  await openConversation(id, Number(message) || null);
}

/** The conversation is there: go to its end, or to a message of it. */
function arrive([, message]) {
  if (message) goTo(Number(message));
  else goToEnd();
  if (!store.growing.size) announce("conversation_open", { title: store.conversation.title });
}

function nameTab(name = null) {
  const title = name ?? (store.conversation ? store.conversation.title || say("untitled") : "");
  $("#title").textContent = title || say("new_chat");
  document.title = title ? `${title} · Archipel` : "Archipel";
}
