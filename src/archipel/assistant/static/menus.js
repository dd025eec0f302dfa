// A list of things to choose from, beside the button that opens it.

import { attempt, el } from "./dom.js";
import { say } from "./i18n.js";

/** Open a menu under `opener`; an item is { word or text, run, kind }. Arrows move, Escape closes,
 * and the focus goes back to the opener. Gives the menu. */
export function openMenu(opener, items) {
  const menu = el("div", { class: "menu", role: "menu", popover: "auto", onkeydown: move });
  menu.setAttribute("aria-label", opener.ariaLabel ?? opener.textContent);
  menu.append(...items.map(item));
  opener.after(menu);
  opener.setAttribute("aria-expanded", "true");
  menu.addEventListener("toggle", ({ newState }) => newState === "closed" && ended());
  menu.showPopover();
  placeUnder(menu, opener);
  menu.firstChild.focus();
  return menu;

  function item({ word, text, run, kind = "" }) {
    const attributes = { type: "button", role: "menuitem", tabindex: "-1", class: kind };
    const chosen = () => {
      menu.hidePopover();
      attempt(run);
    };
    return el("button", { ...attributes, onclick: chosen }, text ?? say(word));
  }

  function ended() {
    menu.remove();
    opener.removeAttribute("aria-expanded");
    if (document.activeElement === document.body) opener.focus();
  }

  function move(event) {
    const all = [...menu.children];
    const at = all.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Tab") menu.hidePopover();
    if (to === undefined) return;
    event.preventDefault();
    all[(to + all.length) % all.length].focus();
  }
}

function placeUnder(menu, opener) {
  const from = opener.getBoundingClientRect();
  const own = menu.getBoundingClientRect();
  const below = from.bottom + own.height + 8 < innerHeight;
  const top = below ? from.bottom + 4 : Math.max(8, from.top - own.height - 4);
  const left = Math.max(8, Math.min(from.left, innerWidth - own.width - 8));
  Object.assign(menu.style, { top: `${top}px`, left: `${left}px` });
}
