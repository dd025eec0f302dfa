// Where the conversation is scrolled to: it follows what grows only for who is at its end.

import { $, iconButton } from "./dom.js";

const nearPixels = 80;
const scroll = $("#scroll");
let following = true;

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
  const sizes = new ResizeObserver(() => following && toEnd());
  sizes.observe($("#log"));
  sizes.observe(scroll);
}

/** Go to the end and stay there. */
export function goToEnd() {
  following = true;
  toEnd();
}

/** Go to the message `id` and point it out. */
export function goTo(id) {
  following = false;
  const element = $(`#log [data-id="${id}"]`);
  if (!element) return;
  element.scrollIntoView({ block: "center" });
  element.classList.add("found");
  const forget = () => element.classList.remove("found");
  element.addEventListener("animationend", forget, { once: true });
}

function toEnd() {
  scroll.scrollTop = scroll.scrollHeight;
}
