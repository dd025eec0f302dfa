// The page's words: one JSON file per language, chosen by the browser or by the person.

const languages = ["en", "fr"];
const remembered = "archipel.language";
let words = {};

/** The language to begin with: the one chosen before, else the browser's, else English. */
export function preferredLanguage() {
  const wanted = [localStorage.getItem(remembered), ...navigator.languages];
  const known = wanted.map((tag) => tag?.slice(0, 2)).find((tag) => languages.includes(tag));
  return known ?? "en";
}

/** Put every marked element of the page into `language`, and remember it. */
export async function setLanguage(language) {
  words = await (await fetch(`languages/${language}.json`)).json();
  localStorage.setItem(remembered, language);
  document.documentElement.lang = language;
  translate(document);
}

/** The word for `key`, with {name}s replaced by `values`. */
export function say(key, values = {}) {
  return words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Whether the languages have a word for `key`. */
export function knows(key) {
  return key in words;
}

/** Fill the elements under `root` that carry data-text, data-label, data-name or data-placeholder. */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-text]")) {
    element.textContent = say(element.dataset.text, element.dataset);
  }
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", say(element.dataset.label));
    element.title = say(element.dataset.label);
  }
  for (const element of root.querySelectorAll("[data-name]")) {
    element.setAttribute("aria-label", say(element.dataset.name));
  }
  for (const element of root.querySelectorAll("[data-placeholder]")) {
    element.placeholder = say(element.dataset.placeholder);
  }
}
