// The admin page: who is logged in, which part is shown, in which language.

import { logOut, read } from "./api.js";
import { button, el, problem } from "./dom.js";
import { preferredLanguage, say, setLanguage } from "./words.js";
import { showAudit } from "./views/audit.js";
import { showKey } from "./views/key.js";
import { showKeys } from "./views/keys.js";
import { showPeople } from "./views/people.js";
import { showProjects } from "./views/projects.js";
import { showSuppliers } from "./views/suppliers.js";
import { showUsage } from "./views/usage.js";

const $ = (selector) => document.querySelector(selector);
const parts = {
  usage: { show: showUsage },
  keys: { show: showKeys },
  projects: { show: showProjects },
  suppliers: { show: showSuppliers, act: "routes.see" },
  audit: { show: showAudit, act: "audit.see" },
  people: { show: showPeople, act: "people.see" },
};

let me = null;
let leaving = new AbortController(); // of what the part that is shown still waits for

function allowed() {
  return Object.keys(parts).filter((name) => !parts[name].act || me.may.includes(parts[name].act));
}

/** The part and its settings, as the address has them: #/usage?by=model, #/keys/12. */
function place() {
  const [path, query] = location.hash.slice(2).split("?");
  const [part, id] = path.split("/");
  return { part, id, query: Object.fromEntries(new URLSearchParams(query ?? "")) };
}

/** Go to a part of the page; empty settings are left out. */
function go(path, query = {}, replace = false) {
  const given = Object.entries(query).filter(
    ([, value]) => value !== "" && value !== null && value !== undefined,
  );
  const written = new URLSearchParams(given).toString();
  const hash = `#/${path}${written && "?"}${written}`;
  if (hash === location.hash) return show();
  if (!replace) return void (location.hash = hash);
  history.replaceState(null, "", hash);
  return show();
}

async function show() {
  const { part, id, query } = place();
  const name = allowed().includes(part) ? part : "usage";
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  showTabs(name);
  document.title = `${say(`tab_${name}`)} · Archipel`;
  const view = el("div", { class: "view", "data-part": name });
  const page = { me, query, go, id, view, signal, again: show };
  try {
    await (name === "keys" && id ? showKey : parts[name].show)(page);
  } catch (error) {
    view.replaceChildren(problem(error, show));
  }
  if (signal.aborted) return; // the person is elsewhere by now
  const searching = document.activeElement?.id === "search";
  $("#main").replaceChildren(view);
  if (searching) focusSearch();
}

function focusSearch() {
  const search = $("#search");
  search?.focus();
  search?.setSelectionRange(search.value.length, search.value.length);
}

function showTabs(chosen) {
  const tabs = allowed().map((name) =>
    el("a", { href: `#/${name}`, "aria-current": name === chosen && "page" }, say(`tab_${name}`)),
  );
  $("#tabs").replaceChildren(...tabs);
  $("#tabs").setAttribute("aria-label", say("sections"));
  $("#language").setAttribute("aria-label", say("language"));
}

function showWho() {
  const leave = button("log_out", async () => {
    try {
      await logOut();
    } catch (error) {
      $("#main").prepend(problem(error));
    }
  });
  const role = el("span", { class: "role" }, say(`role_${me.role}`));
  $("#who").replaceChildren(el("a", { class: "name", href: "/me" }, me.name), role, leave);
}

async function begin() {
  try {
    me = await read("me");
  } catch (error) {
    $("#main").replaceChildren(problem(error, begin));
    return;
  }
  showWho();
  await show();
}

async function speak(language) {
  await setLanguage(language);
  if (!me) return;
  showWho();
  await show();
}

addEventListener("hashchange", show);
$("#language").addEventListener("change", (event) => speak(event.target.value));
$("#language").value = preferredLanguage();
await speak($("#language").value);
document.body.classList.add("ready");
await begin();
