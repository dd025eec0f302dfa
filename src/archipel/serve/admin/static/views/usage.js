// What was used, in a time that is chosen, by all or by some; the report of a month.

import { address } from "../api.js";
import { button, chip, choice, el, field, segments } from "../dom.js";
import { usagePanel } from "../usage_panel.js";
import { isoDay, say, time } from "../words.js";

const periods = {
  1: "period_1",
  7: "period_7",
  30: "period_30",
  90: "period_90",
  365: "period_365",
};

/** The part of the page. */
export async function showUsage({ me, query, go, view }) {
  const change = (changed) => go("usage", { ...query, ...changed }, true);
  const days = query.days in periods ? query.days : "30";
  const choose = segments(
    say("period"),
    Object.entries(periods).map(([value, word]) => [value, say(word)]),
    days,
    (value) => change({ days: value }),
  );
  const filters = ["project", "model", "key"]
    .filter((name) => query[name])
    .map((name) => {
      const shown = `${say(`by_${name}`)}: ${query[`${name}_name`] ?? query[name]}`;
      return chip(shown, () => change({ [name]: "", [`${name}_name`]: "" }));
    });
  const panel = await usagePanel({ me, query: { ...query, days }, change });
  view.append(
    el(
      "div",
      { class: "title" },
      el("h1", {}, say("tab_usage")),
      el("div", { class: "filters" }, filters),
      choose,
    ),
    panel,
    reportForm(me),
  );
}

function reportForm(me) {
  if (!me.may.includes("usage.see") && !me.manages.length) return "";
  const now = new Date();
  const months = Array.from({ length: 12 }, (_, back) => {
    const first = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back, 1) / 1000;
    return [isoDay(first).slice(0, 7), time(first, { month: "long", year: "numeric" })];
  });
  const link = el("a", { class: "button plain", download: true }, say("report_download"));
  const choose = (month) => link.setAttribute("href", address("usage.csv", { month }));
  const select = choice(months, months[0][0], choose);
  choose(months[0][0]);
  return el(
    "section",
    { class: "card report" },
    el("div", {}, el("h2", {}, say("report")), el("p", { class: "note" }, say("report_detail"))),
    el("div", { class: "together" }, field("report_month", select), link),
  );
}

/** A button to the usage of something. */
export function usageLink(go, narrowed) {
  return button("see_usage", () => go("usage", narrowed), "plain");
}
