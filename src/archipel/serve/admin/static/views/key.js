// One key: what it opens, its limits and how much of them is used, its usage.

import { act, read } from "../api.js";
import { ask } from "../dialogs.js";
import { button, el } from "../dom.js";
import { limitMeters, limitsForm } from "../limits.js";
import { usagePanel } from "../usage_panel.js";
import { day, moment, say } from "../words.js";
import { opens, stateBadge } from "./keys.js";

/** The part of the page. */
export async function showKey({ me, id, query, go, view, again }) {
  const key = await read(`keys/${encodeURIComponent(id)}`);
  const change = (changed) => go(`keys/${id}`, { ...query, ...changed }, true);
  const lasts = key.state === "in_use";
  view.append(
    el("a", { class: "back", href: "#/keys" }, `← ${say("tab_keys")}`),
    el(
      "div",
      { class: "title" },
      el("h1", {}, key.name),
      stateBadge(key),
      el("span", { class: "spring" }),
      lasts && key.may.limit ? button("limits", () => changeLimits(key, again)) : null,
      lasts && key.may.revoke ? button("revoke", () => revoke(key, again), "danger") : null,
    ),
    el("div", { class: "columns" }, facts(key), limitsCard(key, me)),
    await usagePanel({
      me,
      query: { by: "model", days: "30", ...query, key: key.id },
      change,
      without: ["key", "project"],
    }),
  );
}

function facts(key) {
  const rows = {
    key: el("code", {}, `${key.prefix}…`),
    by_project: `${key.project} · ${key.organisation}`,
    owner: key.person,
    opens: opens(key),
    made: day(key.created),
    until: key.expires ? moment(key.expires) : say("always"),
    state_revoked: key.revoked ? moment(key.revoked) : null,
  };
  const shown = Object.entries(rows).filter(([, value]) => value);
  return el(
    "section",
    { class: "card" },
    el(
      "dl",
      {},
      shown.map(([word, value]) => [el("dt", {}, say(word)), el("dd", {}, value)]).flat(),
    ),
  );
}

function limitsCard(key, me) {
  const content = key.limits.length
    ? limitMeters(key.limits, "key", me.currency)
    : el("p", { class: "note" }, say("limits_none"));
  return el("section", { class: "card" }, el("h2", {}, say("limits")), content);
}

async function changeLimits(key, again) {
  const form = limitsForm(key.limits.filter(({ scope }) => scope === "key"));
  const send = async () => void (await act(`keys/${key.id}/limits`, { limits: form.written() }));
  if (await ask(say("limits_of_key", { name: key.name }), form.element, "save", send))
    await again();
}

async function revoke(key, again) {
  const warning = el("p", {}, say("revoke_warning", { name: key.name }));
  const send = async () => void (await act(`keys/${key.id}/revoke`));
  if (await ask(say("revoke_title"), warning, "revoke", send, "danger")) await again();
}
