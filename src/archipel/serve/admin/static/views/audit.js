// What administrators did, and whether the log is as it was written.

import { read } from "../api.js";
import { badge, button, el, empty, heading, problem, searchField, table } from "../dom.js";
import { knows, moment, money, number, say, sayCount } from "../words.js";

/** The part of the page. */
export async function showAudit({ me, query, go, view }) {
  const { search = "", before = null } = query;
  const found = await read("audit", { search, before });
  const change = (changed) => go("audit", { ...query, before: "", ...changed }, true);
  const last = found.acts.at(-1)?.number;
  view.append(
    heading("tab_audit", ""),
    chain(),
    el(
      "div",
      { class: "tools" },
      searchField("audit_search", search, (text) => change({ search: text })),
    ),
    found.acts.length
      ? actTable(found.acts, me.currency)
      : empty("audit_none", say(search ? "keys_not_found_detail" : "audit_none_detail")),
    el(
      "div",
      { class: "pager" },
      before ? button("newest", () => change({})) : null,
      found.more ? button("older", () => change({ before: last })) : null,
    ),
  );
}

/** Checks the whole chain, which may take a while, beside the page. */
function chain() {
  const place = el(
    "section",
    { class: "card chain", "aria-live": "polite" },
    el("p", {}, say("chain_checking")),
  );
  const check = async () => {
    try {
      const found = await read("audit/verified");
      place.replaceChildren(found.whole ? whole(found) : broken(found));
    } catch (error) {
      place.replaceChildren(problem(error, check));
    }
  };
  check();
  return place;
}

function whole({ rows, digest }) {
  return el(
    "div",
    {},
    badge("good", say("chain_whole")),
    el("span", {}, sayCount("chain_rows", rows)),
    digest &&
      el("span", { class: "note" }, say("chain_digest"), " ", el("code", {}, digest.slice(0, 16))),
  );
}

function broken({ rows, problem: message }) {
  return el(
    "div",
    { role: "alert" },
    badge("bad", say("chain_broken")),
    el("span", {}, say("chain_broken_detail", { row: number(rows + 1) })),
    el("span", { class: "note" }, message),
  );
}

function actTable(acts, currency) {
  const heads = [
    ["#", "number"],
    [`${say("when")} (UTC)`, "whole"],
    [say("who"), ""],
    [say("act"), "whole"],
    [say("details"), "wide"],
  ];
  const rows = acts.map((act) => [
    number(act.number),
    moment(act.time),
    act.actor,
    knows(`act_${act.act}`) ? say(`act_${act.act}`) : act.act,
    details(act.details, currency),
  ]);
  return table(say("tab_audit"), heads, rows);
}

function details(found, currency) {
  const given = Object.entries(found).filter(([, value]) => value !== null);
  const shown = given.map(([name, value]) => {
    const text = written(name, value, found.what === "money" && currency);
    return el("div", {}, el("dt", {}, name), el("dd", {}, text));
  });
  return el("dl", { class: "details" }, shown);
}

/** A detail; `currency` is given where an amount is money, which the log has in billionths. */
function written(name, value, currency) {
  if (name === "expires") return moment(value);
  if (name === "amount" && currency) return money(value / 1e9, currency);
  return Array.isArray(value)
    ? value.join(", ")
    : typeof value === "object"
      ? JSON.stringify(value)
      : `${value}`;
}
