// How suppliers are, the routes over them, and the models that run here. Looks again every 5 s.

import { act, read } from "../api.js";
import { minuteBars } from "../charts.js";
import { ask } from "../dialogs.js";
import { announce, badge, button, el, empty, heading, problem, table } from "../dom.js";
import { duration, gigabytes, money, number, percent, say, sayCount } from "../words.js";

const look_seconds = 5;
const obeyed_seconds = 1.2; // after which all processes of the service know of a drain

/** The part of the page. */
export async function showSuppliers(page) {
  const { view, signal } = page;
  const live = el("div", { class: "stack" });
  view.append(heading("tab_suppliers", say("as_this_process")), live);
  const again = async () => {
    try {
      await look(page, live, again);
    } catch (error) {
      live.replaceChildren(problem(error, again));
    }
  };
  await again();
  const looking = setInterval(() => {
    if (!document.hidden && !document.querySelector("dialog")) again();
  }, look_seconds * 1000);
  signal.addEventListener("abort", () => clearInterval(looking));
}

async function look(page, live, again) {
  const [{ suppliers }, { routes }, { models }] = await Promise.all([
    read("suppliers"),
    read("routes"),
    read("models"),
  ]);
  if (page.signal.aborted) return;
  const cards = suppliers.map((supplier) => card(supplier, page.me, again));
  const focused = focusables(live).indexOf(document.activeElement);
  live.replaceChildren(
    suppliers.length
      ? el("div", { class: "cards" }, cards)
      : empty("suppliers_none", say("suppliers_none_detail")),
    ...(routes.length
      ? [el("h2", { class: "section" }, say("routes")), routeTable(routes, page.me)]
      : []),
    ...(models.length
      ? [el("h2", { class: "section" }, say("models_here")), modelTable(models)]
      : []),
  );
  focusables(live)[focused]?.focus({ preventScroll: true });
}

function focusables(live) {
  return [...live.querySelectorAll("button, [tabindex]")];
}

function card(supplier, me, again) {
  const asked = supplier.answered + supplier.failed;
  const said = (minute, back) =>
    say("minute_said", { back, answered: number(minute.answered), failed: number(minute.failed) });
  const label = say("minutes_label", {
    name: supplier.name,
    answered: number(supplier.answered),
    failed: number(supplier.failed),
  });
  return el(
    "section",
    { class: "card supplier" },
    el("div", { class: "card-head" }, el("h2", {}, supplier.name), stateOf(supplier)),
    minuteBars({ label, minutes: supplier.minutes, said }),
    el(
      "p",
      { class: "note figures" },
      el("span", {}, asked ? sayCount("requests", asked) : say("not_asked")),
      asked
        ? el(
            "span",
            { class: supplier.failed ? "bad" : null },
            say("failed_share", { share: percent(supplier.failed_share) }),
          )
        : null,
    ),
    el("ul", { class: "breakers" }, supplier.targets.map(breaker)),
    me.may.includes("routes.change") ? drainButton(supplier, again) : null,
  );
}

/** The worst that is to be said of a supplier. */
function stateOf({ drained, state, runs_here }) {
  if (drained) return badge("warn", say("drained"), say("drained_detail"));
  const kind = { closed: "good", half_open: "warn", open: "bad" }[state];
  const word = state === "closed" && runs_here ? "supplier_here" : `supplier_${state}`;
  return badge(kind, say(word), say(`supplier_${state}_detail`));
}

function breaker({ model, breaker: { state, failures, rests_seconds } }) {
  const rests = state === "open" ? say("rests", { time: duration(rests_seconds) }) : null;
  const row = failures ? sayCount("in_a_row", failures) : null;
  return el(
    "li",
    {},
    dot(state, say(`supplier_${state}`)),
    el("span", { class: "model" }, model),
    el("small", {}, [row, rests].filter(Boolean).join(" · ")),
  );
}

function dot(state, title) {
  return el("i", { class: `dot ${state}`, role: "img", "aria-label": title, title });
}

function drainButton(supplier, again) {
  const undo = supplier.drained;
  const send = async () =>
    void (await act(`suppliers/${undo ? "undrain" : "drain"}`, { name: supplier.name }));
  const press = async () => {
    const warning = el(
      "p",
      {},
      say(undo ? "undrain_warning" : "drain_warning", { name: supplier.name }),
    );
    const done = await ask(
      say(undo ? "undrain" : "drain"),
      warning,
      undo ? "undrain" : "drain",
      send,
    );
    if (!done) return;
    announce(say(undo ? "supplier_closed" : "drained"));
    await again();
    setTimeout(again, obeyed_seconds * 1000);
  };
  return el("div", { class: "actions" }, button(undo ? "undrain" : "drain", press));
}

function routeTable(routes, me) {
  const heads = [
    [say("route"), "wide"],
    [say("targets"), "wide"],
    [say("rules"), ""],
  ];
  const rows = routes.map((route) => [
    el("strong", {}, route.name),
    el(
      "ol",
      { class: "targets" },
      route.targets.map((target) => targetOf(target, route, me)),
    ),
    el(
      "span",
      { class: "names" },
      rules(route).map((rule) => el("span", { class: "name-tag" }, rule)),
    ),
  ]);
  return table(say("routes"), heads, rows);
}

function targetOf(target, route, me) {
  const state = target.drained ? "drained" : target.breaker.state;
  const weight =
    route.order === "weighted" ? say("weight", { weight: number(target.weight) }) : null;
  return el(
    "li",
    {},
    dot(state, say(target.drained ? "drained" : `supplier_${state}`)),
    el(
      "span",
      { class: "model" },
      target.provider === target.model ? target.model : `${target.provider} / ${target.model}`,
    ),
    el("small", {}, [weight, priceOf(target, me.currency)].filter(Boolean).join(" · ")),
  );
}

function priceOf({ price }, currency) {
  if (!price) return say("price_unknown");
  if (!price.prompt && !price.completion) return say("free");
  return say("price", {
    prompt: money(price.prompt, currency),
    answer: money(price.completion, currency),
  });
}

function rules(route) {
  const found = [say(`order_${route.order}`)];
  if (route.sticky) found.push(say("sticky"));
  if (route.data_stays_here) found.push(say("data_stays_here"));
  if (route.hedge_seconds) found.push(say("hedge", { time: number(route.hedge_seconds) }));
  if (route.shadow)
    found.push(say("shadow", { share: percent(route.shadow.share), name: route.shadow.candidate }));
  return found;
}

function modelTable(models) {
  const heads = [
    [say("by_model"), "wide"],
    [say("engine"), ""],
    [say("state"), ""],
    [say("under_way"), "number"],
    [say("memory"), "number"],
    [say("leaves"), ""],
  ];
  const rows = models.map((model) => [
    el("strong", {}, model.name),
    model.engine,
    model.in_memory ? badge("good", say("in_memory")) : badge("plain", say("not_in_memory")),
    number(model.answering),
    gigabytes(model.memory_bytes),
    model.pinned
      ? say("pinned")
      : model.idle_seconds
        ? say("idle_after", { time: duration(model.idle_seconds) })
        : say("when_needed"),
  ]);
  return table(say("models_here"), heads, rows);
}
