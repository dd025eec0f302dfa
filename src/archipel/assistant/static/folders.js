// One's folders: made, named, deleted.

import { send } from "./api.js";
import { ask } from "./dialogs.js";
import { el, field } from "./dom.js";
import { say } from "./i18n.js";
import { emit } from "./store.js";
import { tellTabs } from "./tabs.js";

/** Ask for a new folder; gives it, or null. */
export async function makeFolder() {
  let made = null;
  const input = nameInput("");
  const make = async () => (made = await send("POST", "folders", { name: input.value }));
  if (await ask(say("folder_new"), field("name", input), "make", make)) changed();
  return made;
}

/** The items of a folder's menu. */
export function folderMenu(folder) {
  return [
    { word: "rename", run: () => rename(folder) },
    { word: "delete", run: () => erase(folder), kind: "bad" },
  ];
}

async function rename({ id, name }) {
  const input = nameInput(name);
  const change = () => send("PATCH", `folders/${id}`, { name: input.value });
  if (await ask(say("rename"), field("name", input), "save", change)) changed();
}

async function erase({ id, name }) {
  const text = el("p", {}, say("folder_delete", { name }));
  const act = () => send("DELETE", `folders/${id}`);
  if (await ask(say("delete"), text, "delete", act, "danger")) changed();
}

function changed() {
  emit("folders");
  tellTabs();
}

function nameInput(value) {
  return el("input", { value, required: true, maxlength: "120", autocomplete: "off", dir: "auto" });
}
