// What stands beside the conversation: new, search, the list, the panels.

import { conversationMenu } from "./conversation_menu.js";
import { $, el, iconButton } from "./dom.js";
import { begin as beginDrawer, closeDrawer, showSidebar } from "./drawer.js";
import { language, say, setLanguage } from "./i18n.js";
import { icon } from "./icons.js";
import { begin as beginList } from "./list.js";
import { openMenu } from "./menus.js";
import { panels } from "./panels.js";
import { begin as beginSearch } from "./search.js";
import { showShortcuts } from "./shortcuts.js";
import { on, store } from "./store.js";

/** Fill it. */
export function begin() {
  $("#new").append(icon("add"), el("span", {}, say("new_chat")));
  $("#new").addEventListener("click", () => closeDrawer() || $("#question").focus());
  $("#open-sidebar").append(iconButton("menu", "sidebar_open", () => showSidebar(true)));
  $("#close-sidebar").append(iconButton("close", "sidebar_close", () => showSidebar(false)));
  $("#keys").append(iconButton("keys", "shortcuts", showShortcuts));
  $("#language").value = language;
  $("#language").addEventListener("change", ({ target }) => setLanguage(target.value));
  showPanels();
  showMenu();
  beginSearch();
  beginList();
  beginDrawer();
}

function showPanels() {
  const listed = Object.entries(panels).filter(([, panel]) => panel.icon);
  const links = listed.map(([name, panel]) => {
    const shown = el("span", {}, say(`panel_${name}`));
    const link = el("a", { href: `#/${name}` }, icon(panel.icon), shown);
    on("place", (part) => link.setAttribute("aria-current", part === name ? "page" : "false"));
    return el("li", {}, link);
  });
  $("#panels").append(...links);
  $("#panels").hidden = !links.length;
}

function showMenu() {
  const open = ({ currentTarget }) =>
    openMenu(currentTarget, conversationMenu(store.conversation));
  const more = iconButton("more", "conversation_actions", open);
  $("#conversation-menu").append(more);
  const show = () => (more.hidden = !store.conversation?.id);
  on("branch", show);
  show();
}
