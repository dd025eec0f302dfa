// Questions in front of the page.

import { button, el, problem } from "./dom.js";
import { say } from "./words.js";

/** Ask with a form; `send` carries it out and may give what is shown in its place. What goes wrong
 * is shown in the dialog, which stays. Resolves when it is closed, to whether it was carried out. */
export function ask(title, content, word, send, kind = "primary") {
  return new Promise((resolve) => {
    let done = false;
    const problems = el("div");
    const confirm = el("button", { type: "submit", class: kind }, say(word));
    const close = () => dialog.close();
    const form = el(
      "form",
      { class: "stack", onsubmit: submit },
      content,
      problems,
      el("div", { class: "actions" }, button("cancel", close), confirm),
    );
    const dialog = el("dialog", { "aria-label": title }, el("h2", {}, title), form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(done);
    });
    document.body.append(dialog);
    dialog.showModal();

    async function submit(event) {
      event.preventDefault();
      confirm.disabled = true;
      problems.replaceChildren();
      try {
        const shown = await send();
        done = true;
        if (!shown) return close();
        form.replaceChildren(
          shown,
          el("div", { class: "actions" }, button("done", close, "primary")),
        );
        form.querySelector("input, button").focus();
      } catch (error) {
        problems.replaceChildren(problem(error));
      } finally {
        confirm.disabled = false;
      }
    }
  });
}

/** A secret that is shown this once, with a button that copies it. */
export function secret(word, value, more = null) {
  const input = el("input", { class: "mono", readonly: true, value, "aria-label": say(word) });
  input.addEventListener("focus", () => input.select());
  const copy = button("copy", async () => {
    input.select();
    try {
      await navigator.clipboard.writeText(value);
      copy.textContent = say("copied");
    } catch {
      copy.textContent = say("copy_yourself"); // the browser lets no page do it; it is selected
    }
  });
  return el(
    "div",
    { class: "stack" },
    el("p", { class: "once" }, say("shown_once")),
    el("div", { class: "together" }, input, copy),
    more,
  );
}
