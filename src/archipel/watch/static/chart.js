// The loss curve: drawn as SVG, read with the pointer or the arrow keys.

import { $, element, setText, svg } from "./elements.js";
import { amount, duration } from "./quantities.js";

export const palette = 8; // colours of sites, .s0 and so on in the style sheet

const margin = { top: 10, right: 12, bottom: 26, left: 46 };
const chart = $("#chart");

let run = null;
let lines = []; // {name, colour, points: [{x, loss, tokens, time}]}, that of all sites last
let scales = null;
let reading = null; // where the chart is read, 0 to 1 of its width

/** Draw the loss curves of a run, or those drawn last again. */
export function drawChart(found = run) {
  run = found;
  if (!run) return;
  const byTime = $("input[name=axis]:checked").value === "time";
  const start = Math.min(...run.curve.map(([, time]) => time));
  const along = ([tokens, time, loss]) => {
    return { x: byTime ? time - start : tokens, loss, tokens, time: time - start };
  };
  const sites = run.sites.map((site, index) => {
    return { name: site.name, colour: `s${index % palette}`, points: site.curve.map(along) };
  });
  lines = sites.filter((line) => line.points.length > 1);
  lines.push({ name: "all sites", colour: "all", points: run.curve.map(along) });
  for (const line of lines) line.points.sort((a, b) => a.x - b.x);
  drawLegend();
  if (run.curve.length < 2) {
    scales = null;
    chart.replaceChildren(element("p", { className: "empty" }, ["The first steps come up here."]));
    return;
  }
  scales = fit(chart.clientWidth, chart.clientHeight, byTime);
  const picture = svg("svg", { width: scales.width, height: scales.height, "aria-hidden": "true" });
  picture.append(...grid(byTime));
  for (const { points, colour } of lines) {
    const path = points.map(({ x, loss }) => `${scales.x(x).toFixed(1)} ${scales.y(loss).toFixed(1)}`);
    picture.append(svg("path", { class: `curve ${colour}`, d: `M${path.join("L")}` }));
  }
  picture.append(svg("g", { class: "cursor" }));
  chart.replaceChildren(picture);
  const [first, last] = [run.curve[0][2], run.curve.at(-1)[2]];
  const text = `Loss from ${first.toFixed(3)} to ${last.toFixed(3)} nats per token. `;
  chart.setAttribute("aria-label", `${text}Arrow keys read values.`);
  drawReading();
}

/** Scales for the points of all lines: x linear, loss logarithmic so that late progress shows. */
function fit(width, height, byTime) {
  const all = lines.flatMap((line) => line.points);
  const losses = all.map((point) => Math.max(point.loss, 1e-6));
  const [low, high] = [Math.log(Math.min(...losses)), Math.log(Math.max(...losses))];
  const room = Math.max(0.02, high - low) * 0.06;
  const most = Math.max(...all.map((point) => point.x), 1);
  const end = !byTime && run.tokens > run.budget_tokens / 4 ? run.budget_tokens : most * 1.02;
  const inner = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };
  const bottom = low - room;
  const span = high + room - bottom;
  return {
    width,
    height,
    end,
    inner,
    low: Math.exp(bottom),
    high: Math.exp(bottom + span),
    x: (value) => margin.left + (value / end) * inner.width,
    y: (loss) => {
      const share = (Math.log(Math.max(loss, 1e-6)) - bottom) / span;
      return margin.top + (1 - share) * inner.height;
    },
  };
}

function grid(byTime) {
  const { x, y, end, inner, low, high } = scales;
  const made = [];
  let above = Infinity;
  for (const [loss, text] of lossTicks(low, high)) {
    if (above - y(loss) < 32) continue;
    above = y(loss);
    made.push(svg("line", { x1: margin.left, x2: margin.left + inner.width, y1: above, y2: above }));
    made.push(label(margin.left - 8, above + 4, text, "end"));
  }
  const unit = byTime ? (end > 7200 ? 3600 : end > 180 ? 60 : 1) : 1;
  for (const value of ticks(0, end / unit, Math.max(3, inner.width / 110))) {
    const text = byTime ? `${Number(value.toPrecision(6))} ${{ 1: "s", 60: "min", 3600: "h" }[unit]}` : amount(value);
    const place = Math.min(x(value * unit), margin.left + inner.width - 8);
    made.push(label(place, margin.top + inner.height + 20, value ? text : "0", "middle"));
  }
  return made;
}

/** Round losses from `low` to `high` with their texts, evenly or, over a long way, as ratios. */
function lossTicks(low, high) {
  if (high / low < 1.8) {
    const even = ticks(low, high, 6);
    const digits = Math.max(1, Math.ceil(-Math.log10(even[1] - even[0] || 1)));
    return even.map((loss) => [loss, loss.toFixed(digits)]);
  }
  const found = [];
  for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10) {
    for (const factor of [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8]) {
      const loss = Number((factor * power).toPrecision(3));
      if (loss >= low && loss <= high) found.push([loss, `${loss}`]);
    }
  }
  return found;
}

/** Round values from `low` to `high`, about so many. */
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((found) => found >= rough);
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high; n += 1) found.push(n * step);
  return found;
}

function label(x, y, text, anchor) {
  const made = svg("text", { x, y, "text-anchor": anchor });
  made.textContent = text;
  return made;
}

function drawLegend() {
  const shown = lines.length > 2 ? lines : [];
  $("#legend").replaceChildren(
    ...shown.map(({ name, colour }) =>
      element("li", {}, [element("i", { className: `dot ${colour}` }), name]),
    ),
  );
}

/** The values at `reading`, beside the chart and as dots on it. */
function drawReading() {
  const cursor = $("#chart .cursor");
  if (!cursor) return;
  if (reading === null) {
    cursor.replaceChildren();
    setText($("#reading"), "Loss in nats per token, on a logarithmic scale.");
    return;
  }
  const at = nearest(lines.at(-1).points, reading * scales.end);
  const x = scales.x(at.x);
  const marks = [svg("line", { x1: x, x2: x, y1: margin.top, y2: margin.top + scales.inner.height })];
  const words = [];
  for (const { name, colour, points } of lines) {
    const point = nearest(points, at.x);
    if (Math.abs(point.x - at.x) > scales.end / 20) continue;
    const place = { cx: scales.x(point.x), cy: scales.y(point.loss), r: colour === "all" ? 4 : 3 };
    marks.push(svg("circle", { ...place, class: colour }));
    words.unshift(`${name} ${point.loss.toFixed(3)}`);
  }
  cursor.replaceChildren(...marks);
  setText($("#reading"), `${amount(at.tokens)} tokens, ${duration(at.time)}: ${words.join(" · ")}`);
}

function nearest(points, x) {
  let [low, high] = [0, points.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle].x < x) low = middle + 1;
    else high = middle;
  }
  const before = points[Math.max(0, low - 1)];
  return x - before.x < points[low].x - x ? before : points[low];
}

chart.addEventListener("pointermove", (event) => {
  if (!scales) return;
  const x = event.clientX - chart.getBoundingClientRect().left - margin.left;
  reading = Math.min(1, Math.max(0, x / scales.inner.width));
  drawReading();
});
chart.addEventListener("pointerleave", () => {
  reading = null;
  drawReading();
});
chart.addEventListener("keydown", (event) => {
  const move = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
  if (!move || !scales) return;
  event.preventDefault();
  const last = lines.at(-1).points.at(-1).x / scales.end;
  reading = Math.min(last, Math.max(0, (reading ?? last) + move));
  drawReading();
});
new ResizeObserver(() => drawChart()).observe(chart);
for (const input of document.querySelectorAll("input[name=axis]")) {
  input.addEventListener("change", () => drawChart());
}
