// What is said above the place where one writes: the connection is lost; this is only to read.

import { $, announce } from "./dom.js";
import { say } from "./i18n.js";
import { on, store } from "./store.js";

let connected = true;

/** Say it whenever it is so. */
export function begin() {
  on("link", (now) => {
    if (now === connected) return;
    connected = now;
    announce(connected ? "link_back" : "link_lost");
    show();
  });
  on("branch", show);
  on("growing", () => {
    if (!store.growing.size) connected = true;
    show();
  });
}

function show() {
  const shown = connected ? store.readOnly && "shared_by_link" : "link_lost";
  $("#note").hidden = !shown;
  $("#note").textContent = shown ? say(shown) : "";
}
