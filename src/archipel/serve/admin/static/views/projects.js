// Projects with their organisations, and how much of their limits is used.

import { act, read } from "../api.js";
import { ask } from "../dialogs.js";
import { button, el, empty, field, heading, pager, searchField } from "../dom.js";
import { limitMeters, limitsForm } from "../limits.js";
import { say, sayCount } from "../words.js";
import { usageLink } from "./usage.js";

/** The part of the page. */
export async function showProjects({ me, query, go, view, again }) {
  const offset = Number(query.offset) || 0;
  const { search = "" } = query;
  const found = await read("projects", { search, offset });
  const change = (changed) => go("projects", { ...query, offset: "", ...changed }, true);
  const add = me.may.includes("projects.add")
    ? button("project_new", () => newProject(again), "primary")
    : null;
  const cards = found.projects.map((project) => card(project, { me, go, again }));
  view.append(
    heading("tab_projects", sayCount("projects", found.total), add),
    el(
      "div",
      { class: "tools" },
      searchField("project_search", search, (text) => change({ search: text })),
    ),
    found.total ? el("div", { class: "cards" }, cards) : none(search, add && (() => add.click())),
    pager(offset, found.page, found.total, (to) => change({ offset: to || "" })) ?? "",
  );
}

function card(project, { me, go, again }) {
  const limits = [...project.limits, ...project.organisation_limits];
  const set = me.may.includes("limits.set");
  return el(
    "section",
    { class: "card project" },
    el("h2", {}, project.name),
    el("p", { class: "note" }, project.organisation),
    limits.length
      ? limitMeters(limits, "project", me.currency)
      : el("p", { class: "note" }, say("limits_none")),
    el(
      "div",
      { class: "actions" },
      el(
        "a",
        { class: "button plain", href: `#/keys?${new URLSearchParams({ project: project.name })}` },
        sayCount("keys", project.keys_in_use),
      ),
      usageLink(go, { project: project.name, by: "key" }),
      set ? button("limits", () => changeLimits(project, again)) : null,
    ),
  );
}

async function newProject(again) {
  const name = el("input", {
    required: true,
    maxlength: "64",
    autocomplete: "off",
    autofocus: true,
  });
  const organisation = el("input", { required: true, maxlength: "64", value: "default" });
  const content = [field("name", name), field("organisation", organisation, "organisation_hint")];
  const send = async () =>
    void (await act("projects/new", { name: name.value, organisation: organisation.value }));
  if (await ask(say("project_new"), content, "make", send)) await again();
}

async function changeLimits(project, again) {
  const own = limitsForm(project.limits);
  const shared = limitsForm(project.organisation_limits);
  const content = [
    el("h3", {}, say("limits_of_project", { name: project.name })),
    own.element,
    el("h3", {}, say("limits_of_organisation", { name: project.organisation })),
    shared.element,
  ];
  const send = async () => {
    const forms = {
      [`project:${project.name}`]: own,
      [`organisation:${project.organisation}`]: shared,
    };
    for (const [whom, form] of Object.entries(forms)) {
      const limits = form.written();
      if (limits.length) await act("limits", { whom, limits });
    }
  };
  if (await ask(say("limits"), content, "save", send)) await again();
}

function none(searched, add) {
  if (searched) return empty("projects_not_found", say("keys_not_found_detail"));
  return empty(
    "projects_none",
    say("projects_none_detail"),
    add ? button("project_new", add, "primary") : null,
  );
}
