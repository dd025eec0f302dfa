// The page of a run: asks for its data every few seconds and draws it. Text only enters through
// textContent; nothing is ever sent.

const $ = (selector) => document.querySelector(selector);
const states = {
  empty: "Waiting for sites",
  training: "Training",
  idle: "No site is alive",
  finished: "Finished",
};
const palette = 8;
const margin = { top: 10, right: 12, bottom: 26, left: 46 };

let run = null;
let lines = []; // of the chart: {name, colour, points: [{x, loss, tokens, time}]}
let scales = null;
let reading = null; // where the chart is read, 0 to 1 of its width
let picked = null; // the round that is looked at

// Asking

let timer = 0;

async function ask() {
  clearTimeout(timer);
  try {
    const response = await fetch("data");
    if (!response.ok) throw new Error(`status ${response.status}`);
    const answer = await response.json();
    if (answer.run) draw(answer.run);
    showProblem(answer.problem && `${answer.problem} Trying again.`);
  } catch {
    showProblem("archipel run watch does not answer. Trying again.");
  }
  const seconds = Math.min(10, Math.max(1, run?.heartbeat_seconds ?? 1));
  if (!document.hidden) timer = setTimeout(ask, 1000 * seconds);
}

document.addEventListener("visibilitychange", () => document.hidden || ask());

function showProblem(text) {
  const box = $("#problem");
  if (text && box.textContent !== text) box.textContent = text;
  box.hidden = !text;
  document.body.classList.toggle("stale", Boolean(text));
  if (text) $("main").hidden = false;
}

// The whole

function draw(found) {
  run = found;
  const share = run.tokens / run.budget_tokens;
  document.title = `${Math.floor(100 * share)} % · ${run.url} · Archipel`;
  $("#url").textContent = run.url;
  const h = run.sync_steps ? [`H\u00a0=\u00a0${run.sync_steps}${run.sync_by_link ? " by the links" : ""}`] : [];
  $("#facts").textContent = [run.model, `${run.fragments} fragments`, run.codec, ...h].join(" · ");
  setText($("#state"), states[run.state]);
  $("#state").className = `pill ${run.state}`;
  $("#done").textContent = `${amount(run.tokens)} of ${amount(run.budget_tokens)} tokens`;
  const left = run.state === "training" && run.eta_seconds !== null;
  $("#left").textContent = left ? `${duration(run.eta_seconds)} left` : percent(share);
  $("#filled").style.inlineSize = `${100 * Math.min(1, share)}%`;
  $(".track").setAttribute("aria-valuenow", Math.floor(100 * share));
  drawTiles();
  drawWarnings();
  drawChart();
  drawSites();
  drawRounds();
  drawRefusals();
  $("main").hidden = false;
}

function drawTiles() {
  const busy = run.utilisation === null ? null : percent(run.utilisation);
  const perToken = run.bytes_per_token === null ? null : run.bytes_per_token.toPrecision(3);
  $("#tiles").replaceChildren(
    ...[
      ["Loss", run.loss === null ? null : run.loss.toFixed(3), "nats per token"],
      ["Speed", run.tokens_per_second ? amount(run.tokens_per_second) : null, "tokens per second"],
      ["Busy", busy, "of the sites' time in training"],
      ["Traffic", perToken, "bytes per token"],
      ["Rounds", run.rounds.toLocaleString("en"), "committed"],
      run.cost
        ? ["Cost so far", run.cost.toFixed(2), `${hours(run.site_hours)} of sites`]
        : ["Used so far", hours(run.site_hours), "of sites"],
    ].map(([name, value, unit]) =>
      element("div", {}, [
        element("dt", {}, [name]),
        element("dd", {}, [element("b", {}, [value ?? "–"]), element("span", {}, [unit])]),
      ]),
    ),
  );
}

function drawWarnings() {
  const said = [...run.unreadable];
  if (run.diverged.length) {
    said.unshift(`Sites disagree on the parameters after rounds ${run.diverged.join(", ")}.`);
  }
  if (run.rolled_back) {
    const { without, reason } = run.rolled_back;
    const gone = without.length ? ` without ${without.join(", ")}` : "";
    said.unshift(`Rolled back${gone}${reason ? `: ${reason}` : ""}. What is shown counts from there.`);
  }
  const boxes = said.map((text) => element("p", { className: "banner quiet" }, [text]));
  if (run.pieces_behind) {
    const text = `Still reading ${run.pieces_behind.toLocaleString("en")} pieces of the past.`;
    boxes.push(element("p", { className: "note" }, [text]));
  }
  $("#warnings").replaceChildren(...boxes);
}

// The chart

function drawChart() {
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
  const chart = $("#chart");
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

const chart = $("#chart");
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
new ResizeObserver(() => {
  if (!run) return;
  drawChart();
  drawRounds();
}).observe(chart);
for (const input of document.querySelectorAll("input[name=axis]")) {
  input.addEventListener("change", drawChart);
}

// Sites

const columns = [
  ["Site", siteName],
  ["State", (site) => [element("span", { className: `state ${site.state}` }, [site.state])]],
  ["Tokens/s", (site) => [site.tokens_per_second ? amount(site.tokens_per_second) : "–"], "number"],
  ["Loss", (site) => [site.loss === null ? "–" : site.loss.toFixed(3)], "number"],
  ["Busy", (site) => busyBar(site.busy)],
  ["Link", link, "number"],
  ["Moved", (site) => [data(site.bytes_out + site.bytes_in)], "number"],
  ["Merges", (site) => [site.merge_duty.length ? site.merge_duty.join(", ") : "–"]],
  ["Contributed", (site) => [site.contributed.toLocaleString("en")], "number"],
  ["Used", used, "number"],
];

function drawSites() {
  $("#sites").hidden = run.sites.length === 0;
  $("#no-sites").hidden = run.sites.length > 0;
  const names = columns.map(([name, , kind]) =>
    element("th", { scope: "col", role: "columnheader", className: kind ?? "" }, [name]),
  );
  $("#sites thead tr").replaceChildren(...names);
  $("#sites tbody").replaceChildren(
    ...run.sites.map((site, index) => {
      const cells = columns.map(([name, show, kind], column) => {
        const made = element(column ? "td" : "th", { className: kind ?? "" }, show(site, index));
        made.setAttribute("role", column ? "cell" : "rowheader");
        made.dataset.name = name;
        made.classList.toggle("nothing", made.textContent === "–");
        return made;
      });
      const row = element("tr", {}, cells);
      row.setAttribute("role", "row");
      return row;
    }),
  );
}

function siteName(site, index) {
  const what = [site.hardware, `step ${site.step.toLocaleString("en")}`].filter(Boolean).join(" · ");
  return [
    element("i", { className: `dot s${index % palette}` }),
    site.name,
    element("small", {}, [what]),
  ];
}

function busyBar(share) {
  if (share === null) return ["–"];
  const filled = element("i", { className: share < 0.8 ? "low" : "" });
  filled.style.inlineSize = `${100 * Math.min(1, share)}%`;
  return [element("span", { className: "bar", ariaHidden: "true" }, [filled]), percent(share)];
}

function link(site) {
  const rates = [
    ["↑", "up", site.up_bytes_per_second],
    ["↓", "down", site.down_bytes_per_second],
  ].filter(([, , rate]) => rate);
  if (!rates.length) return ["–"];
  return rates.map(([sign, word, rate]) => {
    const arrow = element("span", { className: "arrow", ariaLabel: word, role: "img" }, [sign]);
    return element("span", { className: "rate" }, [arrow, `${data(rate)}/s`]);
  });
}

function used(site) {
  if (!site.cost) return [hours(site.hours)];
  return [hours(site.hours), element("span", { className: "price" }, [site.cost.toFixed(2)])];
}

// Rounds

function drawRounds() {
  const width = $("#rounds").parentNode.clientWidth;
  const room = width - (width < 500 ? 90 : 130);
  const rounds = run.recent.slice(-Math.max(8, Math.floor(room / 16)));
  $("#rounds thead tr").replaceChildren(
    element("th", { scope: "col" }, ["Site"]),
    ...rounds.map((found) => element("th", { scope: "col" }, [`${found.round}`])),
  );
  $("#rounds tbody").replaceChildren(
    ...run.sites.map((site) => {
      const cells = rounds.map((found) => {
        const [kind, text] = share(found, site.name);
        const mark = element("i", { className: kind }, [element("span", { className: "hidden-text" }, [text])]);
        const cell = element("td", {}, [mark]);
        cell.dataset.round = found.round;
        cell.classList.toggle("merger", found.by === site.name);
        return cell;
      });
      return element("tr", {}, [element("th", { scope: "row" }, [site.name]), ...cells]);
    }),
  );
  drawRound();
}

/** What a site had in a round: the class of its sign, and a word. */
function share(found, site) {
  if (found.merged === null) return ["unknown", "not known yet"];
  if (found.merged.includes(site)) return ["in", "contributed"];
  if (found.refused.some((refusal) => refusal.site === site)) return ["refused", "refused"];
  return found.late.includes(site) ? ["late", "late"] : ["away", "away"];
}

function drawRound() {
  const found = run.recent.find(({ round }) => round === picked) ?? run.recent.at(-1);
  for (const cell of document.querySelectorAll("#rounds td")) {
    cell.classList.toggle("picked", picked !== null && Number(cell.dataset.round) === found?.round);
  }
  setText($("#round"), found ? describe(found) : "No round has been committed yet.");
}

function describe({ round, fragment, by, time, merged, late, refused }) {
  const words = [`Round ${round}, fragment ${fragment}, merged by ${by}`];
  if (time) words[0] += ` at ${new Date(1000 * time).toLocaleTimeString()}`;
  if (merged) words.push(`in: ${merged.join(", ") || "nobody"}`);
  if (late.length) words.push(`late: ${late.join(", ")}`);
  for (const { site, reason } of refused) words.push(`refused: ${site}, ${reason}`);
  return words.join(" · ");
}

$("#rounds").addEventListener("pointerover", (event) => {
  const cell = event.target.closest("td");
  if (!cell) return;
  picked = Number(cell.dataset.round);
  drawRound();
});
$("#rounds").addEventListener("pointerleave", () => {
  picked = null;
  drawRound();
});
$("#rounds").addEventListener("keydown", (event) => {
  const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!move || !run?.recent.length) return;
  event.preventDefault();
  const last = run.recent.length - 1;
  const place = run.recent.findIndex(({ round }) => round === picked);
  picked = run.recent[Math.min(last, Math.max(0, (place < 0 ? last + 1 : place) + move))].round;
  drawRound();
});

function drawRefusals() {
  $("#refusals-card").hidden = run.refusals.length === 0;
  $("#refusals").replaceChildren(
    ...run.refusals.map(({ round, site, reason }) =>
      element("li", {}, [element("strong", {}, [site]), ` in round ${round}: ${reason}`]),
    ),
  );
}

// Quantities and elements

function scaled(value, units) {
  const [scale, unit] = units.find(([least]) => value >= least * 0.9995) ?? [1, ""];
  return `${Number((value / scale).toPrecision(3))}${unit}`;
}

function amount(count) {
  return scaled(count, [[1e12, "\u00a0T"], [1e9, "\u00a0B"], [1e6, "\u00a0M"], [1e3, "\u00a0k"]]);
}

function data(bytes) {
  return bytes ? scaled(bytes, [[1e12, "\u00a0TB"], [1e9, "\u00a0GB"], [1e6, "\u00a0MB"], [1e3, "\u00a0kB"], [1, "\u00a0B"]]) : "–";
}

function percent(share) {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}\u00a0%`;
}

function hours(count) {
  return count < 1 ? duration(3600 * count) : `${count.toPrecision(3)}\u00a0h`;
}

function duration(seconds) {
  const minutes = seconds / 60;
  if (seconds < 90) return `${Math.round(seconds)}\u00a0s`;
  if (minutes < 90) return `${Math.round(minutes)}\u00a0min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)}\u00a0h ${Math.floor(minutes % 60)}\u00a0min`;
  return `${Math.floor(minutes / 1440)}\u00a0d ${Math.floor((minutes / 60) % 24)}\u00a0h`;
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

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text; // a live region speaks only of changes
}

function element(tag, properties, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function svg(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

ask();
