// Questions to one's documents: chosen beside the composer, cited in the answers.

import "./prepared.js";
import { addToQuestion, addTool } from "../composer.js";
import { chosenAction } from "../actions/chosen.js";
import { $, announce, el, iconButton } from "../dom.js";
import { say } from "../i18n.js";
import { openMenu } from "../menus.js";
import { addToMessage, changeText } from "../message_parts.js";
import { on, store } from "../store.js";
import { shownBranch } from "../talk.js";
import { citedText, underAnswer } from "./citations.js";
import { called, known, load, takeWanted } from "./collections.js";

await load();
const row = el("div", { id: "chosen-documents", role: "group", "aria-label": say("documents_chosen"), hidden: true });
const tool = iconButton(
  "M4 4.500h5a1 1 0 011 1V16a1.500 1.500 0 00-1.500-1H4zM16 4.500h-5a1 1 0 00-1 1V16a1.500 1.500 0 011.500-1H16z",
  "with_documents",
  open,
  { "aria-haspopup": "menu" },
);
let chosen = []; // ids of collections
let seen = store.messages; // of the conversation that they were chosen in

$("#composer").before(row);
addTool(tool);
addToQuestion(
  () => (chosen.length && !chosenAction() ? { documents: chosen } : null),
  ({ facts }) => (facts.documents ? asIs(facts.documents) : null),
);
addToMessage((message) => (message.role === "user" ? askedOf(message) : underAnswer(message)));
changeText(citedText);
on("branch", () => {
  if (store.messages !== seen) takeChosen();
});
takeChosen();

/** Those of the conversation's last question, or those that the panel says. */
function takeChosen() {
  seen = store.messages;
  const last = shownBranch().findLast(({ role }) => role === "user");
  choose(takeWanted() ?? last?.facts.documents ?? []);
}

function asIs(ids) {
  const documents = ids.filter((id) => known().some((one) => one.id === id));
  return documents.length ? { documents } : null;
}

async function open() {
  const collections = await load();
  const items = collections.map((one) => ({
    text: `${chosen.includes(one.id) ? "✓" : "\u2003"} ${called(one)}`,
    run: () => toggle(one.id),
  }));
  const manage = { word: "documents_manage", run: () => location.assign("#/documents") };
  return openMenu(tool, [...items, manage]);
}

function toggle(id) {
  choose(chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id]);
  announce(chosen.length ? "documents_on" : "documents_off", { names: names(chosen) });
  $("#question").focus();
}

function choose(ids) {
  chosen = asIs(ids)?.documents ?? [];
  row.hidden = !chosen.length;
  tool.classList.toggle("on", chosen.length > 0);
  const leave = iconButton("close", "documents_leave", () => {
    choose([]);
    announce("documents_off");
    $("#question").focus();
  });
  row.replaceChildren(el("span", { dir: "auto" }, say("documents_of", { names: names(chosen) })), leave);
}

function names(ids) {
  const found = known().filter(({ id }) => ids.includes(id));
  return found.map(called).join(", ");
}

function askedOf({ facts }) {
  if (!facts.documents) return null;
  const asked = names(facts.documents);
  const text = asked ? say("documents_of", { names: asked }) : say("documents_asked");
  return el("p", { class: "asked-documents", dir: "auto" }, text);
}
