// A question that is edited: asked again beside the one that it was.

import { askedWith, askQuestion } from "./composer.js";
import { button, el } from "./dom.js";
import { say } from "./i18n.js";

/** Let the person edit the question of a view; what is sent becomes another branch. */
export async function editQuestion(view) {
  const { message } = view;
  const area = el("textarea", { "aria-label": say("edit"), dir: "auto", value: message.text });
  const form = el("form", { class: "editor" }, area);
  const edited = new Promise((resolve) => {
    const cancel = () => resolve(null);
    const send = el("button", { type: "submit", class: "primary" }, say("send"));
    form.append(el("div", { class: "actions" }, button("cancel", cancel), send));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      resolve(area.value.trim() || null);
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && event.target === area && !event.isComposing) {
        event.preventDefault();
        form.requestSubmit();
      }
      if (event.key === "Escape") {
        event.stopPropagation();
        cancel();
      }
    });
  });
  const showing = view.instead(form, edited);
  area.style.height = `${area.scrollHeight}px`;
  area.focus();
  const text = await showing;
  if (text === null) view.element.querySelector(".toolbar button")?.focus();
  else await askQuestion(text, message.parent, askedWith(message));
}
