// A question that begins with "/": the menu of actions, in which one goes on typing the name.

import { setQuestion } from "../composer.js";
import { $ } from "../dom.js";
import { say } from "../i18n.js";
import { actions } from "./table.js";

const question = $("#question");
const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** The names that an action is called by: the page's word for it, and its own. */
function namesOf({ name }) {
  return [folded(say(`action_${name}`)), name];
}

/** The actions whose name begins with `typed`. */
function matching(typed) {
  return actions.filter((action) => namesOf(action).some((name) => name.startsWith(folded(typed))));
}

/** Open the menu, with `open()` which gives its element, when "/" is typed; take "/name text" as the
 * action with that text. */
export function begin(open, choose) {
  question.addEventListener("input", () => {
    const [, typed, rest] = question.value.match(/^\/(\S+)\s([^]*)$/) ?? [];
    const named = typed && matching(typed).find((one) => namesOf(one).includes(folded(typed)));
    if (named) {
      setQuestion(rest);
      choose(named);
    } else if (question.value === "/") {
      typeIn(open());
    }
  });
}

/** Letters go on with the name: the first action that it fits has the focus. */
function typeIn(menu) {
  let typed = "";
  menu.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Backspace") return leave(event, typed ? `/${typed.slice(0, -1)}` : "");
    if (event.key.length !== 1 || (event.key === " " && !typed)) return;
    const [first] = event.key === " " ? [] : matching(typed + event.key);
    typed += event.key;
    if (!first) return leave(event, `/${typed}`);
    event.preventDefault();
    menu.children[actions.indexOf(first)].focus();
  });

  function leave(event, text) {
    event.preventDefault();
    menu.hidePopover();
    setQuestion(text);
    question.dispatchEvent(new Event("input"));
  }
}
