// The page of a run: asks for its data every few seconds and draws it. Nothing is ever sent.

import { drawChart, palette } from "./chart.js";
import { $, element, setText } from "./elements.js";
import { amount, data, duration, hours, percent } from "./quantities.js";

const states = {
  empty: "Waiting for sites",
  training: "Training",
  idle: "No site is alive",
  finished: "Finished",
};

let run = null;
let picked = null; // the round that is looked at

// Asking

let timer = 0;

async function ask() {
  clearTimeout(timer);
  const answer = await answered();
  showProblem(answer.problem && `${answer.problem} Trying again.`);
  const seconds = Math.min(10, Math.max(1, answer.run?.heartbeat_seconds ?? 1));
  if (!document.hidden) timer = setTimeout(ask, 1000 * seconds);
  if (answer.run) draw(answer.run);
}

async function answered() {
  try {
    const response = await fetch("data");
    if (response.ok) return await response.json();
  } catch {
    // What follows says it.
  }
  return { run: null, problem: "archipel run watch does not answer." };
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
  drawChart(run);
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

new ResizeObserver(() => run && drawRounds()).observe($("#rounds").parentNode);

function drawRefusals() {
  $("#refusals-card").hidden = run.refusals.length === 0;
  $("#refusals").replaceChildren(
    ...run.refusals.map(({ round, site, reason }) =>
      element("li", {}, [element("strong", {}, [site]), ` in round ${round}: ${reason}`]),
    ),
  );
}

ask();
