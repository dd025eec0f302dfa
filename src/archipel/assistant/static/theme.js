// Light, dark, or as the system has it; remembered by the browser.

import { $ } from "./dom.js";

const remembered = "archipel.theme";

/** Apply the theme chosen before, and let the person choose. */
export function begin() {
  const select = $("#theme");
  select.value = localStorage.getItem(remembered) ?? "auto";
  apply(select.value);
  select.addEventListener("change", () => {
    localStorage.setItem(remembered, select.value);
    apply(select.value);
  });
}

function apply(theme) {
  document.documentElement.dataset.theme = theme;
}
