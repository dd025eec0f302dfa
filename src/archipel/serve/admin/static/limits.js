// Limits: how much of each is used, and a form that sets them.

import { button, choice, el } from "./dom.js";
import { brief, duration, money, say } from "./words.js";

/** Each limit with its meter; it says whose it is where that is not `scope`. */
export function limitMeters(limits, scope, currency) {
  return el(
    "ul",
    { class: "limits" },
    limits.map((limit) => meter(limit, scope, currency)),
  );
}

function meter(limit, own, currency) {
  const shown = (amount) => (limit.what === "money" ? money(amount, currency) : brief(amount));
  const share = limit.amount ? limit.used / limit.amount : 1;
  const values = { used: shown(limit.used), amount: shown(limit.amount) };
  const resets = limit.resets_seconds && say("resets_in", { time: duration(limit.resets_seconds) });
  return el(
    "li",
    { class: share >= 1 ? "full" : share >= 0.8 ? "tight" : null, title: resets },
    el("span", { class: "what" }, limitName(limit, own)),
    el("span", { class: "amount" }, say("used_of", values)),
    el("progress", { max: "1", value: Math.min(1, share), "aria-label": limitName(limit, own) }),
  );
}

function limitName({ what, per, scope }, own) {
  const name = say(`limit_${what}`);
  const period = per === "moment" ? name : say("limit_per", { what: name, per: say(`per_${per}`) });
  return scope === own ? period : say("limit_of", { limit: period, scope: say(`scope_${scope}`) });
}

/** A form for limits: `element`, and `written()` with what is to change. */
export function limitsForm(limits) {
  const rows = el("div", { class: "limit-rows" });
  const before = limits.map(({ written }) => written);
  for (const limit of limits) rows.append(row(limit));
  const add = button("limit_add", () => {
    const added = row({ what: "requests", per: "minute", amount: "" });
    rows.append(added);
    added.querySelector("input").focus();
  });
  const written = () => {
    const now = [...rows.children].map(writtenRow).filter((line) => line !== null);
    const names = new Set(now.map(nameOf));
    const gone = before.map(nameOf).filter((name) => !names.has(name));
    return [...gone.map((name) => `${name}=none`), ...now.filter((line) => !before.includes(line))];
  };
  return { element: el("div", { class: "stack" }, rows, el("div", {}, add)), written };
}

function row({ what, per, amount }) {
  const kinds = ["requests", "tokens", "money", "concurrent"].map((name) => [
    name,
    say(`limit_${name}`),
  ]);
  const times = ["minute", "day", "month"].map((name) => [
    name,
    say("per", { per: say(`per_${name}`) }),
  ]);
  const fit = () => (period.hidden = kind.value === "concurrent");
  const kind = choice(kinds, what, fit, { "aria-label": say("limit_what") });
  const period = choice(times, per === "moment" ? "minute" : per, () => {}, {
    "aria-label": say("limit_period"),
  });
  const most = el("input", {
    ...{ type: "number", min: "0", step: "any", required: true, value: amount },
    "aria-label": say("limit_amount"),
  });
  const remove = el(
    "button",
    {
      type: "button",
      class: "plain",
      "aria-label": say("limit_remove"),
      onclick: () => whole.remove(),
    },
    "×",
  );
  const whole = el("div", { class: "limit-row" }, kind, period, most, remove);
  fit();
  return whole;
}

function writtenRow(row) {
  const [kind, period] = row.querySelectorAll("select");
  const amount = row.querySelector("input").value;
  return kind.value === "concurrent"
    ? `concurrent=${amount}`
    : `${kind.value}/${period.value}=${amount}`;
}

function nameOf(written) {
  return written.split("=")[0];
}
