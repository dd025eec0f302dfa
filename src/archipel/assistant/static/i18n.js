// The page's words, numbers and times, in the language of the browser or of the person's choice.

const languages = ["en", "fr"];
const remembered = "archipel.language";
const words = {};

/** The language: the one chosen before, else the browser's, else English. */
export const language = preferred();

function preferred() {
  const wanted = [localStorage.getItem(remembered), ...navigator.languages];
  const known = wanted.map((tag) => tag?.slice(0, 2)).find((tag) => languages.includes(tag));
  return known ?? "en";
}

/** Take in the words of the page, or of a part of it: those of `PART/languages/`. */
export async function addWords(part = "") {
  const base = new URL(part ? `${part}/languages/` : "languages/", import.meta.url);
  const response = await fetch(new URL(`${language}.json`, base));
  if (!response.ok) throw new Error(`no words at ${response.url}`);
  Object.assign(words, await response.json());
}

/** Speak another language from now on: the page is loaded again. */
export function setLanguage(chosen) {
  localStorage.setItem(remembered, chosen);
  location.reload();
}

/** The word for `key`, with {name}s replaced by `values`. */
export function say(key, values = {}) {
  return words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** The word for a number of things, `key_one` or `key_other`, with {name}s replaced by `values`. */
export function sayCount(key, count, values = {}) {
  const form = new Intl.PluralRules(language).select(count) === "one" ? "one" : "other";
  return say(`${key}_${form}`, { ...values, count: number(count) });
}

/** Whether the languages have a word for `key`. */
export function knows(key) {
  return key in words;
}

/** A number as the language writes it; `options` of `Intl.NumberFormat`. */
export function number(value, options = {}) {
  return new Intl.NumberFormat(language, options).format(value);
}

/** A moment, given in seconds; `style` of `Intl.DateTimeFormat`. */
export function moment(seconds, style = { dateStyle: "medium", timeStyle: "short" }) {
  return new Intl.DateTimeFormat(language, style).format(seconds * 1000);
}

/** Fill the elements under `root` that carry data-text, data-label or data-placeholder. */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-text]")) {
    element.textContent = say(element.dataset.text);
  }
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", say(element.dataset.label));
    if (element.matches("button, a, select")) element.title = say(element.dataset.label);
  }
  for (const element of root.querySelectorAll("[data-placeholder]")) {
    element.placeholder = say(element.dataset.placeholder);
  }
}
