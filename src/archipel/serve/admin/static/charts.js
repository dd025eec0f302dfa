// Small charts of SVG: stacked bars over time, with axes. Colours are classes of the style sheet.

import { svg } from "./dom.js";

const height = 260;
const margin = { top: 12, right: 4, bottom: 26, left: 58 };

/**
 * Bars over time. `series` are {name, values}, the first at the bottom; `shown` writes a value,
 * `at` a step's place on the axis, `whole` a step in full.
 */
export function stackedBars({ label, steps, series, shown, brief, at, whole }) {
  const chart = svg("svg", { class: "chart", role: "img", "aria-label": label });
  const draw = (width) => {
    const inner = {
      width: width - margin.left - margin.right,
      height: height - margin.top - margin.bottom,
    };
    const totals = steps.map((_, place) => sum(series.map(({ values }) => values[place])));
    const ticks = niceTicks(Math.max(...totals, 0));
    const y = (value) => margin.top + inner.height * (1 - value / ticks.at(-1));
    const each = inner.width / steps.length;
    chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
    chart.setAttribute("height", height);
    chart.replaceChildren(
      ...ticks.map((tick) => gridLine(tick, y(tick), width, brief(tick))),
      ...placesOfLabels(steps.length, inner.width).map((place) =>
        text("at", margin.left + each * (place + 0.5), height - 6, "middle", at(steps[place])),
      ),
      ...steps.map((step, place) => {
        const lines = series
          .map(({ name, values }) => [name, values[place]])
          .filter(([, value]) => value);
        const said = [`${whole(step)}: ${shown(totals[place])}`];
        if (lines.length > 1 || series.length > 1) {
          said.push(...lines.reverse().map(([name, value]) => `${name}: ${shown(value)}`));
        }
        const left = margin.left + each * place;
        return svg(
          "g",
          { class: "step" },
          svg("rect", {
            class: "ground",
            x: left,
            y: margin.top,
            width: each,
            height: inner.height,
          }),
          ...stack(series, place, left + each * 0.14, each * 0.72, y),
          svg("title", {}, said.join("\n")),
        );
      }),
    );
  };
  new ResizeObserver(([entry]) => {
    if (entry.contentRect.width) draw(entry.contentRect.width);
  }).observe(chart);
  return chart;
}

/** A bar for each minute, failures on top of answers. */
export function minuteBars({ label, minutes, said }) {
  const [each, tall] = [8, 34];
  const most = Math.max(1, ...minutes.map(({ answered, failed }) => answered + failed));
  const bars = minutes.map((minute, place) => {
    const good = (minute.answered / most) * tall;
    const bad = (minute.failed / most) * tall;
    const x = place * each + 1;
    return svg(
      "g",
      {},
      svg("rect", { class: "ground", x, y: 0, width: each - 2, height: tall }),
      svg("rect", { class: "base", x, y: tall - 1, width: each - 2, height: 1 }),
      svg("rect", { class: "good", x, y: tall - good, width: each - 2, height: good, rx: 1 }),
      svg("rect", { class: "bad", x, y: tall - good - bad, width: each - 2, height: bad, rx: 1 }),
      svg("title", {}, said(minute, minutes.length - place)),
    );
  });
  const size = { viewBox: `0 0 ${minutes.length * each} ${tall}`, preserveAspectRatio: "none" };
  return svg("svg", { class: "minutes", role: "img", "aria-label": label, ...size }, bars);
}

function stack(series, place, x, width, y) {
  let below = 0;
  return series.flatMap(({ values, color }) => {
    const value = values[place];
    if (!value) return [];
    const [top, bottom] = [y(below + value), y(below)];
    below += value;
    const size = { x, y: top, width: Math.max(1, width), height: Math.max(0.5, bottom - top) };
    return [svg("rect", { class: color, ...size })];
  });
}

function gridLine(tick, y, width, shown) {
  return svg(
    "g",
    {},
    svg("line", {
      class: tick ? "grid" : "axis",
      x1: margin.left,
      x2: width - margin.right,
      y1: y,
      y2: y,
    }),
    text("tick", margin.left - 8, y + 4, "end", shown),
  );
}

function text(className, x, y, anchor, shown) {
  return svg("text", { class: className, x, y, "text-anchor": anchor }, shown);
}

/** Four or five round numbers from 0 to at least `most`. */
export function niceTicks(most) {
  const rough = (most || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const count = Math.max(1, Math.ceil((most || 1) / step - 1e-9));
  return Array.from({ length: count + 1 }, (_, place) => place * step);
}

/** Which steps are named, so that names have room. */
function placesOfLabels(count, width) {
  const every = Math.max(1, Math.ceil(count / Math.max(1, Math.floor(width / 72))));
  const places = [];
  for (let place = Math.floor(every / 2); place < count; place += every) places.push(place);
  return places;
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
