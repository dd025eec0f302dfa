// Connect: what editors, office suites and programs must be told to use the service, to be copied;
// and whether the service answers.

import { read } from "../api.js";
import { copyText, el, field, iconButton, problem } from "../dom.js";
import { dress } from "../dress.js";
import { say } from "../i18n.js";
import { clientPart } from "./client.js";
import { trialPart } from "./trial.js";

const groups = ["editors", "offices", "programs"];

/** Fill `root`, which is left when `signal` ends. */
export async function show(root, { signal }) {
  await dress("connect");
  const found = await read("connect", {}, signal);
  const lists = el("div", { class: "stack" });
  const problems = el("div");
  const fill = choice("connect_fill", found.fill, choose);
  const chat = choice("connect_chat", found.chat, choose);
  const title = el("h2", {}, say("panel_connect"));
  const head = [title, el("p", {}, say("connect_intro")), addressPart(found), keyPart(found)];
  const choices = el("div", { class: "choices" }, fill.shown, chat.shown);
  root.replaceChildren(el("div", { class: "connect" }, head, choices, problems, lists));
  list(lists, found);

  async function choose() {
    const chosen = { fill: fill.select.value, chat: chat.select.value };
    try {
      const now = await read("connect", chosen, signal);
      if (fill.select.value !== chosen.fill || chat.select.value !== chosen.chat) return;
      list(lists, now);
      problems.replaceChildren();
    } catch (error) {
      if (!signal.aborted) problems.replaceChildren(problem(error, choose));
    }
  }
}

function addressPart({ address }) {
  const shown = el("code", { dir: "ltr" }, address);
  const copy = iconButton("copy", "connect_copy_address", () => copyText(address, copy));
  const line = el("p", { class: "address" }, say("connect_address"), " ", shown, " ", copy);
  const hint = el("p", { class: "aside" }, say("connect_try_hint"));
  return el("section", { class: "stack" }, line, trialPart("models", null, address), hint);
}

/** Where a key comes from, if the service wants one. */
function keyPart({ key, order }) {
  if (!key) return null;
  const shown = el("code", { dir: "ltr" }, order);
  const copy = iconButton("copy", "connect_copy_order", () => copyText(order, copy));
  const line = el("p", { class: "address" }, shown, " ", copy);
  return el("section", { class: "stack" }, el("p", {}, say("connect_key", { key })), line);
}

/** A menu of models: {shown, select}; nothing to see where there is none. */
function choice(word, { models, chosen }, choose) {
  const options = models.map((name) => el("option", { selected: name === chosen }, name));
  const select = el("select", { onchange: choose }, options);
  return { shown: models.length ? field(word, select) : null, select };
}

/** The programs, in groups; those that were open stay so. */
function list(lists, found) {
  const open = [...lists.querySelectorAll("details[open]")].map((one) => one.dataset.name);
  const sections = groups.map((group) => {
    const clients = found.clients.filter((one) => one.group === group);
    const parts = clients.map((one) => clientPart(one, found, open.includes(one.name)));
    return el("section", { class: "stack" }, el("h3", {}, say(`connect_group_${group}`)), parts);
  });
  lists.replaceChildren(...sections);
}
