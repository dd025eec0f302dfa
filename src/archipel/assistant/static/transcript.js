// The conversation on the page: questions, answers as they grow, what went wrong.

import { knows, say } from "./i18n.js";
import { GrowingMarkdown } from "./render/markdown.js";

const log = document.querySelector("#log");
const scroll = document.querySelector("#scroll");
let following = true;

scroll.addEventListener("scroll", () => {
  following = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
});
new ResizeObserver(() => {
  if (following && log.hasChildNodes()) scroll.scrollTop = scroll.scrollHeight;
}).observe(log);

/** Show a question, and go to the end of the conversation. */
export function showQuestion(text) {
  log.querySelector(".problem")?.remove();
  const body = add("question", "you_said");
  body.textContent = text;
  following = true;
}

/** An empty answer that grows. */
export function showAnswer() {
  const body = add("answer growing", "assistant_said");
  const message = body.parentElement;
  const markdown = new GrowingMarkdown(body);
  log.setAttribute("aria-busy", "true");
  return {
    add: (text) => markdown.add(text),
    /** The answer is as long as it gets; `note` is a key of the languages, with its values. */
    end(note, values) {
      markdown.end();
      message.classList.remove("growing");
      log.removeAttribute("aria-busy");
      if (!body.hasChildNodes()) body.remove();
      if (note) message.append(marked("p", "note", note, values));
    },
  };
}

/** Say what went wrong, with a button that tries again. */
export function showProblem(error, retry) {
  const box = document.createElement("div");
  box.className = "problem";
  box.setAttribute("role", "alert");
  const key = `error_${error.code}`;
  box.append(marked("strong", "", knows(key) ? key : "error"));
  const detail = document.createElement("p");
  detail.textContent = error.message;
  const button = marked("button", "", "retry");
  button.type = "button";
  button.addEventListener("click", () => {
    box.remove();
    retry();
  });
  box.append(detail, button);
  log.append(box);
  following = true;
}

export function clear() {
  log.replaceChildren();
}

function add(kind, speaker) {
  const message = document.createElement("article");
  message.className = `message ${kind}`;
  const body = document.createElement("div");
  body.className = "body";
  message.append(marked("span", "hidden-text", speaker), body);
  log.append(message);
  return body;
}

/** An element whose text is a key of the languages, so that it follows a change of language. */
function marked(tag, className, key, values = {}) {
  const element = document.createElement(tag);
  element.className = className;
  Object.assign(element.dataset, values, { text: key });
  element.textContent = say(key, values);
  return element;
}
