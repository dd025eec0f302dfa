// Actions on a message, or on what is selected in it.

import { askQuestion } from "../composer.js";
import { $ } from "../dom.js";
import { say } from "../i18n.js";
import { openMenu } from "../menus.js";
import { addMessageAction } from "../toolbar.js";
import { asked } from "./chosen.js";
import { actionOf, inWords, usualFields } from "./table.js";

const offered = [
  { name: "translate" },
  { name: "summarise" },
  { name: "rewrite", fields: { tone: "simpler" } },
  { name: "rewrite", fields: { tone: "shorter" } },
  { name: "correct" },
  { name: "explain" },
];
let selection = ""; // when the pointer went down, since that may end it

/** Put a button under messages that opens their menu. */
export function begin() {
  const look = () => (selection = getSelection().toString());
  $("#log").addEventListener("pointerdown", look, { capture: true });
  addMessageAction({
    icon: "M4 5h9M4 9h6M4 13h5M14 9l1 3 3 1-3 1-1 3-1-3-3-1 3-1z",
    word: "act_on",
    fits: ({ text, status }) => text.trim() !== "" && status !== "growing",
    run: (message, pressed) => {
      const text = textOf(message);
      openOffered(pressed, (action) => askQuestion(text, undefined, asked(action)));
    },
  });
}

/** Open the menu of what can be done at a press; `run(action)` does it. */
export function openOffered(opener, run) {
  const items = offered.map(({ name, fields }) => {
    const action = { name, fields: { ...usualFields(actionOf(name)), ...fields } };
    return { text: inWords(action), run: () => run(action) };
  });
  return openMenu(opener, items);
}

/** What is selected inside the message, else all of it. */
function textOf(message) {
  const body = $(`#log [data-id="${message.id}"] .body`);
  const selected = getSelection().toString().trim() || selection.trim();
  const inside = selected && squeezed(body.innerText).includes(squeezed(selected));
  selection = "";
  return inside ? selected : message.text;
}

function squeezed(text) {
  return text.replace(/\s+/g, " ");
}
