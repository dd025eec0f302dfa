// What can be done with a conversation as a whole.

import { send } from "./api.js";
import { ask, tell } from "./dialogs.js";
import { button, copyText, el, field } from "./dom.js";
import { download } from "./download.js";
import { keepDraft } from "./drafts.js";
import { makeFolder } from "./folders.js";
import { say } from "./i18n.js";
import { emit, store } from "./store.js";
import { tellTabs } from "./tabs.js";
import { changeConversation, noteChange } from "./talk.js";

/** The items of a conversation's menu. */
export function conversationMenu(conversation) {
  const { id, pinned, folder } = conversation;
  const pin = () => changeConversation(id, { pinned: pinned === null });
  return [
    { word: "rename", run: () => rename(conversation) },
    { word: pinned === null ? "pin" : "unpin", run: pin },
    { word: folder === null ? "move" : "move_elsewhere", run: () => move(conversation) },
    { word: "share", run: () => share(conversation) },
    ...["md", "json"].map((form) => ({ word: `export_${form}`, run: () => save(id, form) })),
    { word: "delete", run: () => erase(conversation), kind: "bad" },
  ];
}

async function rename({ id, title }) {
  const attributes = { required: true, maxlength: "200", autocomplete: "off", dir: "auto" };
  const input = el("input", { value: title, ...attributes });
  const change = () => changeConversation(id, { title: input.value });
  await ask(say("rename"), field("title", input), "save", change);
}

async function move({ id, folder }) {
  const select = el("select", {}, new Option(say("folder_none"), ""));
  const add = ({ id, name }) => select.append(new Option(name, id));
  store.folders.forEach(add);
  select.value = folder ?? "";
  const make = button("folder_new", async () => {
    const made = await makeFolder();
    if (!made) return;
    add(made);
    select.value = made.id;
  });
  const chosen = () => (select.value === "" ? null : Number(select.value));
  const change = () => changeConversation(id, { folder: chosen() });
  await ask(say("move"), [field("folder", select), make], "move_here", change);
}

async function share(conversation) {
  const { id, title } = conversation;
  const place = el("div", { class: "stack" });
  if (conversation.shared) offer();
  else await ask(say("share"), el("p", {}, say("share_explained", { title })), "share", makeLink);
  if (place.hasChildNodes()) await tell(say("share"), place);

  async function makeLink() {
    const { token } = await send("POST", `conversations/${id}/share`);
    const value = new URL(`#/s/${token}`, location.href).href;
    const input = el("input", { value, readonly: true, "aria-label": say("link") });
    const copy = button("copy", () => copyText(value, copy));
    place.replaceChildren(el("p", {}, say("share_made")), input, copy, stop());
    noteChange({ ...conversation, shared: true });
  }

  function offer() {
    place.replaceChildren(el("p", {}, say("share_already")), button("link_new", makeLink), stop());
  }

  function stop() {
    return button("unshare", async () => {
      await send("DELETE", `conversations/${id}/share`);
      place.replaceChildren(el("p", {}, say("share_ended")));
      noteChange({ ...conversation, shared: false });
    });
  }
}

function save(id, form) {
  download(`api/conversations/${id}/export?form=${form}`);
}

async function erase({ id, title }) {
  const text = el("p", { dir: "auto" }, say("delete_explained", { title }));
  const gone = await ask(say("delete"), text, "delete", act, "danger");
  if (gone && store.conversation?.id === id) location.hash = "#/";

  async function act() {
    await send("DELETE", `conversations/${id}`);
    keepDraft(id, "");
    emit("erased", id);
    tellTabs();
  }
}
