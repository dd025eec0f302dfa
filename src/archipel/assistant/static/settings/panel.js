// Settings: how the assistant is to answer, what it remembers, who is logged in.

import { read } from "../api.js";
import { el } from "../dom.js";
import { addWords, say } from "../i18n.js";
import { memoriesPart } from "./memories.js";
import { preferencesPart } from "./preferences.js";

let prepared = null;

/** Fill `root`; `what` are the ids of memories to point at, with commas between. */
export async function show(root, { what, signal }) {
  prepared ??= prepare();
  await prepared;
  const [preferences, found, { person }] = await Promise.all(
    ["preferences", "memories", "me"].map((path) => read(path, {}, signal)),
  );
  const pointed = new Set((what || "").split(",").map(Number));
  const who = person.name && el("p", { class: "who" }, say("logged_in_as", { name: person.name }));
  const title = el("h2", { tabindex: "-1" }, say("panel_settings"));
  const parts = [preferencesPart(preferences, signal), memoriesPart(preferences, found, pointed)];
  root.replaceChildren(el("div", { class: "settings-panel" }, title, who, parts));
  (root.querySelector(".pointed") ?? title).scrollIntoView({ block: "nearest" });
}

async function prepare() {
  const href = new URL("settings.css", import.meta.url);
  const style = el("link", { rel: "stylesheet", href });
  const styled = new Promise((resolve, reject) => {
    style.addEventListener("load", resolve);
    style.addEventListener("error", () => reject(new Error(`no style at ${href}`)));
  });
  document.head.append(style);
  await Promise.all([addWords("settings"), styled]);
}
