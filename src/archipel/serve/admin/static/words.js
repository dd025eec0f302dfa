// The page's words, numbers and times, in the language of the browser or of the person's choice.

const languages = ["en", "fr"];
const remembered = "archipel.language";
let words = {};
let language = "en";

/** The language to begin with: the one chosen before, else the browser's, else English. */
export function preferredLanguage() {
  const wanted = [localStorage.getItem(remembered), ...navigator.languages];
  const known = wanted.map((tag) => tag?.slice(0, 2)).find((tag) => languages.includes(tag));
  return known ?? "en";
}

/** Speak `chosen` from now on, and remember it. */
export async function setLanguage(chosen) {
  words = await (await fetch(`languages/${chosen}.json`)).json();
  language = chosen;
  localStorage.setItem(remembered, chosen);
  document.documentElement.lang = chosen;
}

/** The word for `key`, with {name}s replaced by `values`. */
export function say(key, values = {}) {
  return words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** The word for a number of things: `key_one` or `key_other`. */
export function sayCount(key, count) {
  const form = new Intl.PluralRules(language).select(count) === "one" ? "one" : "other";
  return say(`${key}_${form}`, { count: number(count) });
}

/** Whether the languages have a word for `key`. */
export function knows(key) {
  return key in words;
}

export function number(value, options = {}) {
  return new Intl.NumberFormat(language, options).format(value);
}

/** A number in a few characters: 1.2M. */
export function brief(value) {
  const options = { notation: "compact", maximumSignificantDigits: 3 };
  return number(value, Math.abs(value) < 1000 ? { maximumSignificantDigits: 3 } : options);
}

/** Money: to the cent where that says something, else with its first digits. */
export function money(value, currency) {
  const small = value !== 0 && Math.abs(value) < 0.1;
  const digits = small ? { maximumSignificantDigits: 2 } : {};
  return number(value, { style: "currency", currency, ...digits });
}

/** Money in a few characters. */
export function briefMoney(value, currency) {
  if (Math.abs(value) < 1000) return money(value, currency);
  const options = { notation: "compact", maximumSignificantDigits: 3 };
  return number(value, { style: "currency", currency, ...options });
}

/** A share; with a digit after the point where it is near nothing or near all. */
export function percent(share) {
  const digits = (share > 0 && share < 0.1) || (share > 0.9 && share < 1) ? 1 : 0;
  return number(share, {
    style: "percent",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** A size in memory. */
export function gigabytes(bytes) {
  const unit = bytes < 1e9 ? ["megabyte", 1e6, 0] : ["gigabyte", 1e9, 1];
  const options = { style: "unit", unit: unit[0], maximumFractionDigits: unit[2] };
  return number(bytes / unit[1], options);
}

/** A day (UTC) of a time in seconds. */
export function day(seconds, style = { day: "numeric", month: "short", year: "numeric" }) {
  return time(seconds, style);
}

/** The day (UTC) of a time in seconds, as 2026-11-30. */
export function isoDay(seconds) {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

/** A moment (UTC). */
export function moment(seconds) {
  return time(seconds, { dateStyle: "medium", timeStyle: "medium" });
}

/** A time in seconds (UTC), in a style of `Intl.DateTimeFormat`. */
export function time(seconds, style) {
  return new Intl.DateTimeFormat(language, { timeZone: "UTC", ...style }).format(seconds * 1000);
}

/** A length of time, to its largest unit. */
export function duration(seconds) {
  const [unit, size] = [
    ["day", 86400],
    ["hour", 3600],
    ["minute", 60],
    ["second", 1],
  ].find(([, size]) => seconds >= size || size === 1);
  return number(Math.ceil(seconds / size), { style: "unit", unit, unitDisplay: "long" });
}
