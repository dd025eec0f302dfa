// Questions in front of the page. The focus goes back to where it was.

import { $, button, el, problem } from "./dom.js";
import { say } from "./i18n.js";

/** Ask with a form; `send` carries it out. What goes wrong is shown in the dialog, which stays.
 * Resolves when it is closed, to whether it was carried out. */
export function ask(title, content, word, send, kind = "primary") {
  let done = false;
  const problems = el("div");
  const confirm = el("button", { type: "submit", class: kind }, say(word));
  const cancel = button("cancel", () => dialog.close());
  const actions = el("div", { class: "actions" }, cancel, confirm);
  const form = el("form", { class: "stack", onsubmit: submit }, content, problems, actions);
  const dialog = el("dialog", { "aria-label": title }, el("h2", {}, title), form);
  return opened(dialog).then(() => done);

  async function submit(event) {
    event.preventDefault();
    confirm.disabled = true;
    problems.replaceChildren();
    try {
      await send();
      done = true;
      dialog.close();
    } catch (error) {
      problems.replaceChildren(problem(error));
    } finally {
      confirm.disabled = false;
    }
  }
}

/** Show something until it is closed. */
export function tell(title, content) {
  const close = button("close", () => dialog.close(), "primary");
  const actions = el("div", { class: "actions" }, close);
  const dialog = el("dialog", { "aria-label": title }, el("h2", {}, title), content, actions);
  return opened(dialog);
}

function opened(dialog) {
  const before = document.activeElement;
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (!before.isConnected) inPlaceOf(before).focus(); // else the browser has put it back already
      resolve();
    });
  });
}

/** What was drawn since in the place of an element that had the focus. */
function inPlaceOf(before) {
  return $(`[data-focus="${before.dataset.focus}"]`) ?? $("#question");
}
