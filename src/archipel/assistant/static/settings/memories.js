// What the assistant remembers of the person: read, corrected, erased, each with where it is from.

import { send } from "../api.js";
import { ask } from "../dialogs.js";
import { announce, button, el, field, iconButton, problem } from "../dom.js";
import { moment, number, say } from "../i18n.js";

/** The part of the panel; memories whose ids are in `pointed` are marked. */
export function memoriesPart({ memory }, { memories, most }, pointed) {
  const problems = el("div");
  const list = el("ul", { class: "memories" });
  const eraseAll = button("memory_erase_all", () => askToEraseAll(list), "plain");
  const none = el("p", { class: "hint" }, say("memory_none"));
  const fill = () => {
    none.hidden = list.childElementCount > 0;
    eraseAll.hidden = !none.hidden;
  };
  list.append(...memories.map((one) => item(one, pointed.has(one.id))));
  new MutationObserver(fill).observe(list, { childList: true });
  fill();
  return el(
    "section",
    { class: "stack" },
    el("h3", {}, say("memory")),
    el("label", { class: "switch" }, toggle(memory, problems), el("span", {}, say("memory_on"))),
    el("p", { class: "hint" }, say("memory_hint", { most: number(most) })),
    problems,
    list,
    none,
    eraseAll,
  );
}

function toggle(on, problems) {
  const box = el("input", { type: "checkbox", checked: on });
  box.addEventListener("change", async () => {
    problems.replaceChildren();
    try {
      await send("PATCH", "preferences", { memory: box.checked });
      announce("saved");
    } catch (error) {
      box.checked = !box.checked;
      problems.replaceChildren(problem(error));
    }
  });
  return box;
}

function item(memory, pointed) {
  const row = el("li", { class: pointed ? "pointed" : null });
  const edit = iconButton("edit", "memory_correct", () => askToCorrect(memory, row));
  const erase = iconButton("gone", "memory_erase", () => askToErase(memory, row));
  const day = moment(memory.changed ?? memory.created, { dateStyle: "long" });
  const said = say(memory.changed ? "memory_corrected" : "memory_said", { day });
  const address = `#/c/${memory.conversation}/${memory.message}`;
  const open = memory.conversation
    ? el("a", { href: address }, say("memory_open"))
    : el("span", {}, say("memory_message_gone"));
  row.append(
    el("p", { class: "text", dir: "auto" }, memory.text),
    el("p", { class: "from" }, say("memory_from"), " ", el("q", { dir: "auto" }, memory.origin)),
    el("p", { class: "from" }, said, " · ", open),
    el("div", { class: "acts" }, edit, erase),
  );
  return row;
}

function askToCorrect(memory, row) {
  const text = el("input", { value: memory.text, maxlength: "300", required: true, dir: "auto" });
  return ask(say("memory_correct"), field("memory_text", text), "save", async () => {
    const changed = await send("PATCH", `memories/${memory.id}`, { text: text.value });
    row.replaceWith(item(changed, false));
    announce("saved");
  });
}

function askToErase(memory, row) {
  const shown = el("p", { dir: "auto" }, memory.text);
  const erase = async () => {
    await send("DELETE", `memories/${memory.id}`);
    row.remove();
    announce("memory_erased");
  };
  return ask(say("memory_erase"), shown, "memory_erase", erase, "danger");
}

function askToEraseAll(list) {
  const warning = el("p", {}, say("memory_erase_all_warning"));
  const erase = async () => {
    await send("DELETE", "memories");
    list.replaceChildren();
    announce("memory_erased");
  };
  return ask(say("memory_erase_all"), warning, "memory_erase_all", erase, "danger");
}
