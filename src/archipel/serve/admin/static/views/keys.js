// All keys: searched and paged by the service, and a form for a new one.

import { act, read } from "../api.js";
import { ask, secret } from "../dialogs.js";
import {
  badge,
  button,
  chip,
  choice,
  el,
  empty,
  field,
  heading,
  pager,
  searchField,
  table,
} from "../dom.js";
import { limitsForm } from "../limits.js";
import { day, duration, say, sayCount } from "../words.js";

const states = ["", "in_use", "expired", "revoked"];

/** The part of the page. */
export async function showKeys({ me, query, go, view, again }) {
  const offset = Number(query.offset) || 0;
  const { search = "", project = null, state = null } = query;
  const found = await read("keys", { search, project, state, offset });
  const change = (changed) => go("keys", { ...query, offset: "", ...changed }, true);
  const may_make = me.may.includes("keys.make") || me.manages.length > 0;
  const make = may_make ? button("key_new", () => newKey(me, project, again), "primary") : null;
  view.append(
    heading("tab_keys", sayCount("keys", found.total), make),
    el(
      "div",
      { class: "tools" },
      searchField("key_search", search, (text) => change({ search: text })),
      choice(
        states.map((name) => [name, say(`state_${name || "any"}`)]),
        state ?? "",
        (name) => change({ state: name }),
        { "aria-label": say("state") },
      ),
      project && chip(`${say("by_project")}: ${project}`, () => change({ project: "" })),
    ),
    found.total
      ? keyTable(found.keys)
      : noKeys(search || state || project, make && (() => make.click())),
    pager(offset, found.page, found.total, (to) => change({ offset: to || "" })) ?? "",
  );
}

function keyTable(keys) {
  const heads = [
    [say("key"), "wide"],
    [say("by_project"), ""],
    [say("opens"), ""],
    [say("made"), ""],
    [say("until"), ""],
    [say("state"), ""],
  ];
  const rows = keys.map((key) => [
    el(
      "a",
      { href: `#/keys/${key.id}`, class: "two" },
      el("strong", {}, key.name),
      el("code", {}, `${key.prefix}…`),
    ),
    el("span", { class: "two" }, key.project, key.person && el("small", {}, key.person)),
    opens(key),
    day(key.created),
    key.expires ? day(key.expires) : say("always"),
    stateBadge(key),
  ]);
  return table(say("tab_keys"), heads, rows);
}

/** What a key opens. */
export function opens({ models, endpoints }) {
  const named = [...(models ?? []), ...(endpoints ?? [])];
  if (!named.length) return say("everything");
  return el(
    "span",
    { class: "names" },
    named.map((name) => el("span", { class: "name-tag" }, name)),
  );
}

/** Whether a key opens something now. */
export function stateBadge(key) {
  const kind = { in_use: "good", expired: "warn", revoked: "plain" }[key.state];
  const soon = key.state === "in_use" && key.expires && key.expires - Date.now() / 1000 < 7 * 86400;
  if (soon)
    return badge("warn", say("expires_in", { time: duration(key.expires - Date.now() / 1000) }));
  return badge(kind, say(`state_${key.state}`));
}

function noKeys(searched, make) {
  if (searched) return empty("keys_not_found", say("keys_not_found_detail"));
  return empty(
    "keys_none",
    say("keys_none_detail"),
    make ? button("key_new", make, "primary") : null,
  );
}

async function newKey(me, project, again) {
  const its = await projectField(me, project);
  const name = el("input", {
    required: true,
    maxlength: "64",
    autocomplete: "off",
    autofocus: true,
  });
  const days = el("input", { type: "number", min: "1", max: "36500", placeholder: say("always") });
  const models = boxes(me.models);
  const endpoints = boxes(me.endpoints);
  const limits = limitsForm([]);
  const content = [
    field("name", name, "key_name_hint"),
    field("by_project", its.input),
    its.list,
    folded("models_opened", models.element),
    folded("endpoints_opened", endpoints.element),
    field("expires_days", days),
    folded("limits", limits.element),
  ];
  const done = await ask(say("key_new"), content, "make", async () => {
    const made = await act("keys/new", {
      name: name.value,
      project: its.input.value,
      models: models.chosen(),
      endpoints: endpoints.chosen(),
      expires_days: days.value ? Number(days.value) : null,
      limits: limits.written(),
    });
    return secret("key", made.secret, usedSo(made.secret));
  });
  if (done) await again();
}

/** What a client needs to use the key. */
function usedSo(value) {
  const lines = `OPENAI_BASE_URL=${location.origin}/v1\nOPENAI_API_KEY=${value.slice(0, 13)}…`;
  return el("div", {}, el("p", { class: "note" }, say("key_use")), el("pre", {}, lines));
}

async function projectField(me, project) {
  if (!me.may.includes("keys.make")) {
    const input = choice(
      me.manages.map((name) => [name, name]),
      project ?? me.manages[0],
      () => {},
    );
    return { input, list: null };
  }
  const list = el("datalist", { id: "projects" });
  const suggest = async (text) => {
    const { projects } = await read("projects", { search: text });
    list.replaceChildren(...projects.map(({ name }) => el("option", { value: name })));
    return projects;
  };
  const some = await suggest("");
  const input = el("input", {
    ...{
      required: true,
      list: "projects",
      value: project ?? (some.length === 1 ? some[0].name : ""),
      autocomplete: "off",
    },
    oninput: (event) => suggest(event.target.value),
  });
  return { input, list };
}

/** Boxes to tick: none means all. */
function boxes(names) {
  const inputs = names.map((name) => el("input", { type: "checkbox", value: name }));
  const labels = inputs.map((input, place) => el("label", {}, input, names[place]));
  return {
    element: el("div", { class: "boxes" }, labels),
    chosen: () => inputs.filter((input) => input.checked).map((input) => input.value),
  };
}

function folded(word, content) {
  return el("details", {}, el("summary", {}, say(word)), content);
}
