// What is known of models: where each runs, how much it reads, what it costs and can do.

import { el } from "./dom.js";
import { knows, number, say } from "./i18n.js";
import { store } from "./store.js";

/** Where something runs, in words; `supplier` is its name if it is known. What the service does not
 * tell is said as unknown. */
export function placeWord(place, supplier = null) {
  if (place === "machine") return say("on_this_machine");
  if (place === "house") return say("in_the_house");
  if (place === "supplier") return supplier ? say("at_supplier_named", { supplier }) : say("at_supplier");
  return store.local ? say("place_unknown") : say("on_host", { host: store.host });
}

/** Where an answer came from, in words. */
export function answerPlace({ place = null, provider = null }) {
  return placeWord(place, provider);
}

/** The price of a million tokens, in words. */
export function priceWord(price) {
  if (!price) return say("unknown");
  if (price.prompt === 0 && price.completion === 0) return say("free");
  const [prompt, completion] = [price.prompt, price.completion].map((one) => money(one, price.currency));
  return say("price", { prompt, completion });
}

/** An amount of money. */
export function money(amount, currency) {
  const small = amount > 0 && amount < 0.01;
  const digits = small ? { maximumSignificantDigits: 2 } : { maximumFractionDigits: 2 };
  return number(amount, { style: "currency", currency, ...digits });
}

/** A table of all models. */
export function modelsTable() {
  const head = ["model", "place", "context", "price_head", "abilities"].map((word) => el("th", { scope: "col" }, say(word)));
  const rows = store.models.map((name) => row(name, store.about[name] ?? {}));
  const table = el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows));
  return el("div", { class: "models-table", tabindex: "0", role: "region", "aria-label": say("models_title") }, table);
}

function row(name, { place = null, supplier = null, context = null, price = null, abilities = null, tasks = null }) {
  const word = (key, one) => (knows(key) ? say(key) : one);
  const made = tasks?.filter((one) => one !== "chat").map((one) => word(`task_${one}`, one)) ?? [];
  const can = [...(abilities ?? []).map((one) => word(`ability_${one}`, one)), ...made].join(", ");
  const cells = [
    placeWord(place, supplier),
    context ? say("tokens_of_context", { count: number(context) }) : say("unknown"),
    priceWord(price),
    can || say("unknown"),
  ];
  return el("tr", {}, el("th", { scope: "row", dir: "auto" }, name), cells.map((cell) => el("td", {}, cell)));
}
