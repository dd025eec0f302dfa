// Who is logged in: the way to the service's login and back, the person's menu, the way out.

import { read, send } from "./api.js";
import { $, el, showProblem } from "./dom.js";
import { allDrafts, forgetDrafts } from "./drafts.js";
import { say } from "./i18n.js";
import { icon } from "./icons.js";
import { openMenu } from "./menus.js";

const remembered = "archipel.person";
const draftsBefore = allDrafts(); // what the browser had when the page came
let login = null;
let nobody = false;

/** Show who is logged in; whoever is not goes to the login, and comes back. */
export function begin() {
  addEventListener("nobody", () => {
    nobody = true;
    goToLogin();
  });
  load();
}

async function load() {
  try {
    const found = await read("me");
    login = found.login;
    if (login && !found.person) nobody = true;
    if (nobody) return goToLogin();
    if (login) show(found.person);
  } catch (error) {
    showProblem(error, load);
  }
}

function goToLogin() {
  if (login) location.assign(`${login}?${new URLSearchParams({ next: location.href })}`);
}

function show(person) {
  if (!isTheSame(person)) return;
  const open = ({ currentTarget }) => openMenu(currentTarget, items(person));
  const label = say("person_menu", { name: person.name });
  const name = el("span", { class: "name", dir: "auto" }, person.name);
  const attributes = { type: "button", class: "person", "aria-haspopup": "menu", "aria-label": label };
  $("#person").replaceChildren(el("button", { ...attributes, onclick: open }, icon("person"), name));
  $("#person").hidden = false;
}

function items({ role }) {
  return [
    { text: say("person_account", { role: say(`role_${role}`) }), run: () => location.assign(account()) },
    { word: "panel_settings", run: () => location.assign("#/settings") },
    { word: "log_out", run: logOut },
  ];
}

function account() {
  return new URL("/me", login);
}

async function logOut() {
  try {
    await send("POST", "logout");
    forgetDrafts(allDrafts());
    localStorage.removeItem(remembered);
    location.assign(`${login}?${new URLSearchParams({ next: location.origin + location.pathname })}`);
  } catch (error) {
    showProblem(error, logOut);
  }
}

/** Whether the drafts that the browser had are this person's; those of another are forgotten, and the
 * page is loaded again without them. */
function isTheSame({ name }) {
  const before = localStorage.getItem(remembered);
  localStorage.setItem(remembered, name);
  if (before === name || !forgetDrafts(draftsBefore)) return true;
  location.reload();
  return false;
}
