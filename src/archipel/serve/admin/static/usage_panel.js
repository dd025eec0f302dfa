// Sums, bars over time and a table of what was used. The table has all that the bars show.

import { read } from "./api.js";
import { stackedBars } from "./charts.js";
import { el, empty, segments, table } from "./dom.js";
import {
  brief,
  briefMoney,
  day,
  isoDay,
  money,
  number,
  percent,
  say,
  sayCount,
  time,
} from "./words.js";

const groups = ["model", "project", "key", "provider", "outcome"];
const narrower = { model: "project", project: "key", key: "model" }; // what is asked next
const day_seconds = 86400;

/** Sums, bars and a table for a query; `change` changes it. */
export async function usagePanel({ me, query, change, without = [] }) {
  const measure = ["requests", "tokens", "cost"].includes(query.measure)
    ? query.measure
    : "requests";
  const by = groups.includes(query.by) && !without.includes(query.by) ? query.by : "model";
  const { project, model, key } = query;
  const now = Date.now() / 1000;
  const first = isoDay(now - (query.days - 1) * day_seconds);
  const found = await read("usage", { by, measure, project, model, key, first, last: isoDay(now) });
  const show = measures(me.currency)[measure];
  if (!found.all.requests) return nothing(me, query);
  const drawn = found.groups.filter(({ steps }) => steps);
  const series = drawn.map((group, place) => ({
    name: nameOf(group, by),
    values: group.steps,
    color: `series-${place}`,
  }));
  if (found.rest) {
    series.push({ name: say("others"), values: found.rest.steps, color: "series-rest" });
  }
  const chart = stackedBars({
    label: say("chart_label", { measure: say(`measure_${measure}`), by: say(`by_${by}`) }),
    steps: found.begins,
    series,
    shown: show.whole,
    brief: show.brief,
    at: (begin) =>
      time(
        begin,
        found.step < day_seconds
          ? { hour: "2-digit", minute: "2-digit" }
          : { day: "numeric", month: "short" },
      ),
    whole: (begin) => stepName(begin, found.step),
  });
  return el(
    "div",
    { class: "stack" },
    tiles(found.all, measure, me, change),
    el(
      "section",
      { class: "card" },
      el(
        "div",
        { class: "card-head" },
        el("h2", {}, say(`measure_${measure}`)),
        segments(
          say("by"),
          groups.filter((name) => !without.includes(name)).map((name) => [name, say(`by_${name}`)]),
          by,
          (value) => change({ by: value }),
        ),
      ),
      chart,
      el("p", { class: "note" }, say("times_utc")),
    ),
    groupTable(found, by, me, without.length ? null : change),
  );
}

/** How each measure is written: in full and in a few characters. */
function measures(currency) {
  return {
    requests: { whole: number, brief },
    tokens: { whole: number, brief },
    cost: {
      whole: (value) => money(value, currency),
      brief: (value) => briefMoney(value, currency),
    },
  };
}

function tiles(all, measure, me, change) {
  const tile = (name, shown, detail) =>
    el(
      "button",
      {
        type: "button",
        class: "tile",
        "aria-pressed": `${name === measure}`,
        onclick: () => change({ measure: name }),
      },
      el("span", { class: "name" }, say(`measure_${name}`)),
      el("strong", {}, shown),
      el("span", { class: "note" }, detail),
    );
  const failed = all.failed / all.requests;
  return el(
    "div",
    { class: "tiles" },
    tile("requests", number(all.requests), sayCount("failed", all.failed)),
    tile(
      "tokens",
      brief(all.tokens),
      say("tokens_detail", {
        prompt: brief(all.prompt_tokens),
        answer: brief(all.completion_tokens),
      }),
    ),
    tile(
      "cost",
      briefMoney(all.cost, me.currency),
      say("cost_detail", { cost: money((all.cost / all.requests) * 1000, me.currency) }),
    ),
    el(
      "div",
      { class: "tile" },
      el("span", { class: "name" }, say("measure_answered")),
      el("strong", { class: failed > 0.05 ? "bad" : null }, percent(1 - failed)),
      el("span", { class: "note" }, say("answered_detail")),
    ),
  );
}

function groupTable(found, by, me, change) {
  const heads = [
    [say(`by_${by}`), "wide"],
    [say("measure_requests"), "number"],
    [say("failed"), "number"],
    [say("prompt_tokens"), "number"],
    [say("answer_tokens"), "number"],
    [say("measure_cost"), "number"],
  ];
  const numbers = (sums) => [
    number(sums.requests),
    sums.failed ? percent(sums.failed / sums.requests) : "–",
    number(sums.prompt_tokens),
    number(sums.completion_tokens),
    money(sums.cost, me.currency),
  ];
  const rows = found.groups.map((group, place) => {
    const color = group.steps ? `series-${place}` : "series-rest";
    return [groupName(group, by, color, change), ...numbers(group.sums)];
  });
  if (found.rest_groups) {
    const others = el(
      "span",
      { class: "swatched" },
      el("i", { class: "swatch series-rest" }),
      sayCount("more_groups", found.rest_groups),
    );
    rows.push([others, ...numbers(found.rest.sums)]);
  }
  return table(say("tab_usage"), heads, rows);
}

function groupName(group, by, color, change) {
  const name = nameOf(group, by);
  const swatch = el("i", { class: `swatch ${color}` });
  if (!change || !(by in narrower)) return el("span", { class: "swatched" }, swatch, name);
  const narrowed = { [by]: group.id ?? group.name, [`${by}_name`]: group.id ? name : "" };
  const narrow = el(
    "button",
    {
      type: "button",
      class: "link",
      title: say("narrow"),
      onclick: () => change({ ...narrowed, by: narrower[by] }),
    },
    name,
  );
  return el("span", { class: "swatched" }, swatch, narrow);
}

function nameOf(group, by) {
  if (by === "outcome") return say(`outcome_${group.name}`);
  return group.name || say("nobody");
}

function nothing(me, query) {
  if (query.project || query.model || query.key)
    return empty("usage_none", say("usage_none_filtered"));
  const keys = el("a", { class: "button primary", href: "#/keys" }, say("tab_keys"));
  return empty("usage_none", say("usage_none_detail", { url: `${location.origin}/v1` }), keys);
}

function stepName(begin, step) {
  if (step < day_seconds)
    return time(begin, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  if (step === day_seconds) return day(begin);
  return say("week_of", { day: day(begin) });
}
