// The sidebar shown or hidden; on a phone it is a drawer over the page.

import { $ } from "./dom.js";

const narrow = matchMedia("(max-width: 52rem)");

/** Show it where there is room, from now on. */
export function begin() {
  const fit = () => show(!narrow.matches);
  narrow.addEventListener("change", fit);
  addEventListener("hashchange", () => narrow.matches && show(false));
  $("#veil").addEventListener("click", () => showSidebar(false));
  fit();
}

/** Show it or not; the focus goes along. */
export function showSidebar(shown) {
  show(shown);
  $(shown ? "#new" : "#open-sidebar button").focus();
}

/** Show it if it is hidden, hide it if it is shown. */
export function toggleSidebar() {
  showSidebar(!document.body.classList.contains("sidebar"));
}

/** Close the drawer; gives whether it was open. */
export function closeDrawer() {
  const open = narrow.matches && document.body.classList.contains("sidebar");
  if (open) showSidebar(false);
  return open;
}

function show(shown) {
  document.body.classList.toggle("sidebar", shown);
  $("#sidebar").inert = !shown;
  $("#page").inert = shown && narrow.matches;
}
