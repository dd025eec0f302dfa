// Elements of the page. Whatever people, models or the service say becomes text, never markup.

import { knows, say } from "./i18n.js";
import { icon } from "./icons.js";

/** The element that a selector finds first. */
export const $ = (selector) => document.querySelector(selector);

/** An element: attributes, listeners (`onclick`), then children; strings become text. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  const left = new Set([null, undefined, false]);
  element.append(...children.flat(Infinity).filter((child) => !left.has(child)));
  return element;
}

/** A button with a word of the languages. */
export function button(word, onclick, className = "plain") {
  return el("button", { type: "button", class: className, onclick }, say(word));
}

/** A button that shows an icon (a name of icons.js, or a path) and says a word of the languages. */
export function iconButton(name, word, onclick, attributes = {}) {
  const label = say(word);
  const given = { type: "button", class: "icon", "aria-label": label, title: label, onclick };
  return el("button", { ...given, ...attributes }, icon(name));
}

/** A labelled field. */
export function field(word, input) {
  const label = el("label", {}, el("span", { class: "name" }, say(word)), input);
  return el("div", { class: "field" }, label);
}

/** What went wrong, with a button that tries again if that can help. */
export function problem(error, retry = null) {
  const key = `error_${error.code}`;
  return el(
    "div",
    { class: "problem", role: "alert" },
    el("strong", {}, say(knows(key) ? key : "error")),
    el("p", { dir: "auto" }, error.message),
    retry && button("retry", retry),
  );
}

/** Show above the composer what went wrong. */
export function showProblem(error, retry = null) {
  $("#problems").replaceChildren(problem(error, retry));
}

/** What `act` gives; if it fails, that is shown, and there is undefined. */
export async function attempt(act) {
  try {
    return await act();
  } catch (error) {
    showProblem(error);
    return undefined;
  }
}

/** Tell those who hear the page; `key` is a word of the languages. */
export function announce(key, values = {}) {
  $("#status").textContent = say(key, values);
}

/** Put text on the clipboard and say so on the button that was pressed. */
export async function copyText(text, pressed) {
  try {
    await navigator.clipboard.writeText(text);
    announce("copied");
    flash(pressed, "check");
  } catch {
    announce("copy_refused");
  }
}

function flash(pressed, name) {
  const shown = pressed?.querySelector("svg");
  if (!shown) return;
  const instead = icon(name);
  shown.replaceWith(instead);
  setTimeout(() => instead.replaceWith(shown), 1500);
}
