// Where the conversation is scrolled to: it follows what grows only for who is at its end.

import { $, iconButton } from "./dom.js";

const nearPixels = 80;
const scroll = $("#scroll");
let following = true;
let pinned = null; // a message that stays in view while what surrounds it is drawn

/** Follow from now on, and offer the way down to who is elsewhere. */
export function begin() {
  const down = iconButton("arrow_down", "to_end", () => {
    goToEnd();
    $("#question").focus();
  });
  down.hidden = true;
  $("#to-end").append(down);
  scroll.addEventListener("scroll", () => {
    following = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < nearPixels;
    down.hidden = following;
  });
  const sizes = new ResizeObserver(() => (following ? toEnd() : toPinned()));
  sizes.observe($("#log"));
  sizes.observe(scroll);
  for (const moved of ["wheel", "pointerdown", "touchmove", "keydown"]) {
    document.addEventListener(moved, () => (pinned = null), { passive: true });
  }
}

/** Go to the end and stay there. */
export function goToEnd() {
  following = true;
  pinned = null;
  toEnd();
}

/** Go to the message `id` and point it out. */
export function goTo(id) {
  following = false;
  const element = $(`#log [data-id="${id}"]`);
  if (!element) return;
  pinned = element;
  toPinned();
  element.classList.add("found");
  const forget = () => element.classList.remove("found");
  element.addEventListener("animationend", forget, { once: true });
}

function toPinned() {
  pinned?.scrollIntoView({ block: "center" });
}

function toEnd() {
  scroll.scrollTop = scroll.scrollHeight;
}
