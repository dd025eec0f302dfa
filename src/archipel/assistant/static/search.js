// Search in one's conversations: what is found stands in the list's place.

import { read } from "./api.js";
import { $, el, problem } from "./dom.js";
import { moment, say, sayCount } from "./i18n.js";

const waitMs = 150;
let waiting = 0;
let latest = new AbortController();

/** Search as the person writes. */
export function begin() {
  const input = $("#search");
  const found = el("div", { id: "found", hidden: true });
  $("#list").after(found);
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => search(input.value.trim(), found), waitMs);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") found.querySelector("a")?.focus();
    if (event.key === "Escape" && input.value) {
      event.stopPropagation();
      input.value = "";
      search("", found);
    }
  });
}

async function search(words, found) {
  latest.abort();
  latest = new AbortController();
  $("#list").hidden = words !== "";
  found.hidden = words === "";
  if (!words) return;
  try {
    const { hits } = await read("search", { q: words }, latest.signal);
    const count = sayCount("found", hits.length);
    found.replaceChildren(el("h2", {}, count), el("ul", {}, hits.map(row)));
    $("#status").textContent = count;
  } catch (error) {
    if (error.name !== "AbortError") found.replaceChildren(problem(error));
  }
}

function row({ conversation, title, message, created, piece }) {
  const marked = piece.map((text, place) => (place % 2 ? el("mark", {}, text) : text));
  const date = el("time", {}, moment(created, { dateStyle: "medium" }));
  const href = message === null ? `#/c/${conversation}` : `#/c/${conversation}/${message}`;
  const named = el("strong", { dir: "auto" }, message === null ? marked : title || say("untitled"));
  const words = message !== null && el("span", { dir: "auto" }, marked);
  return el("li", {}, el("a", { href }, named, words, date));
}
