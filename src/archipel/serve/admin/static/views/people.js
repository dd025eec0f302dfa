// Who may log in, and what each is in the installation and in projects.

import { act, read } from "../api.js";
import { ask, secret } from "../dialogs.js";
import {
  badge,
  button,
  choice,
  el,
  empty,
  field,
  heading,
  pager,
  searchField,
  table,
} from "../dom.js";
import { day, say, sayCount } from "../words.js";

const roles = ["person", "auditor", "admin"];
const project_roles = ["member", "manager"];

/** The part of the page. */
export async function showPeople({ me, query, go, view, again }) {
  const offset = Number(query.offset) || 0;
  const { search = "" } = query;
  const { people, page, total } = await read("people", { search, offset });
  const change = (changed) => go("people", { ...query, offset: "", ...changed }, true);
  const may_change = me.may.includes("people.change");
  const add = may_change ? button("person_new", () => newPerson(again), "primary") : null;
  const heads = [
    [say("person"), "wide"],
    [say("role"), ""],
    [say("tab_projects"), "wide"],
    [say("logs_in"), ""],
    [say("state"), ""],
    ["", ""],
  ];
  const rows = people.map((person) => [
    el(
      "span",
      { class: "two" },
      el("strong", {}, person.name),
      el("small", {}, person.email ?? ""),
    ),
    say(`role_${person.role}`),
    inProjects(person),
    person.issuer ? say("at_issuer", { host: hostOf(person.issuer) }) : say("with_password"),
    person.disabled
      ? badge("plain", say("disabled"), day(person.disabled))
      : badge("good", say("may_log_in")),
    may_change ? button("change", () => changePerson(person, me, again)) : "",
  ]);
  view.append(
    heading("tab_people", sayCount("people", total), add),
    el(
      "div",
      { class: "tools" },
      searchField("people_search", search, (text) => change({ search: text })),
    ),
    total
      ? table(say("tab_people"), heads, rows)
      : empty("people_not_found", say("keys_not_found_detail")),
    pager(offset, page, total, (to) => change({ offset: to || "" })) ?? "",
  );
}

function inProjects({ projects }) {
  const names = Object.entries(projects).map(([name, role]) =>
    el("span", { class: "name-tag" }, `${name} · ${say(`project_role_${role}`)}`),
  );
  return el("span", { class: "names" }, names);
}

async function newPerson(again) {
  const name = el("input", {
    required: true,
    maxlength: "64",
    autocomplete: "off",
    autofocus: true,
  });
  const email = el("input", { type: "email", maxlength: "254", autocomplete: "off" });
  let role = "person";
  const content = [
    field("name", name),
    field("email", email),
    field(
      "role",
      roleChoice(role, (chosen) => (role = chosen)),
      "roles_hint",
    ),
  ];
  const done = await ask(say("person_new"), content, "make", async () => {
    const { password } = await act("people/new", {
      name: name.value,
      email: email.value || null,
      role,
    });
    return secret("password", password);
  });
  if (done) await again();
}

async function changePerson(person, me, again) {
  const results = el("div", { class: "stack" });
  let changed = false;
  const doing = async (path, form) => {
    const found = await act(`people/${path}`, { name: person.name, ...form });
    changed = true;
    if (found.password) results.replaceChildren(secret("password", found.password));
  };
  let role = person.role;
  let project_role = "member";
  const project = el("input", { maxlength: "64", autocomplete: "off", list: "known-projects" });
  const known = el(
    "datalist",
    { id: "known-projects" },
    Object.keys(person.projects).map((name) => el("option", { value: name })),
  );
  const roles_in = choice(
    [...project_roles, ""].map((name) => [name, say(`project_role_${name || "none"}`)]),
    project_role,
    (chosen) => (project_role = chosen),
  );
  const password = el("input", { type: "checkbox" });
  const disabled = el("input", { type: "checkbox" });
  disabled.checked = person.disabled !== null;
  const itself = person.name === me.name;
  const content = [
    itself
      ? null
      : field(
          "role",
          roleChoice(role, (chosen) => (role = chosen)),
          "roles_hint",
        ),
    el(
      "div",
      { class: "together" },
      field("by_project", project),
      field("role_in_project", roles_in),
    ),
    known,
    person.issuer ? null : el("label", { class: "tick" }, password, say("password_new")),
    itself ? null : el("label", { class: "tick" }, disabled, say("disable")),
  ];
  const send = async () => {
    if (role !== person.role) await doing("role", { role });
    if (project.value) await doing("join", { project: project.value, role: project_role || null });
    if (!itself && disabled.checked !== (person.disabled !== null))
      await doing(disabled.checked ? "disable" : "enable", {});
    if (password.checked) await doing("password", {});
    return results.hasChildNodes() ? results : null;
  };
  await ask(person.name, content.filter(Boolean), "save", send);
  if (changed) await again();
}

function roleChoice(chosen, onchange) {
  return choice(
    roles.map((name) => [name, say(`role_${name}`)]),
    chosen,
    onchange,
  );
}

function hostOf(url) {
  return URL.canParse(url) ? new URL(url).host : url;
}
