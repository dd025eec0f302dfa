// Settings: how the assistant is to answer, what it remembers, who is logged in.

import { read } from "../api.js";
import { el } from "../dom.js";
import { dress } from "../dress.js";
import { say } from "../i18n.js";
import { memoriesPart } from "./memories.js";
import { preferencesPart } from "./preferences.js";

/** Fill `root`; `what` are the ids of memories to point at, with commas between. */
export async function show(root, { what, signal }) {
  await dress("settings");
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
