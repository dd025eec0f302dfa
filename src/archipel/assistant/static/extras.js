// Modules that add to the page once it is there; each is imported for what it does on loading.

import { part } from "./api.js";
import { showProblem } from "./dom.js";

const extras = [
  () => import("./voice.js"),
  () => import("./actions/actions.js"),
  () => import("./pictures/pictures.js"),
  () => import("./documents/documents.js"),
];

/** Load them all; one that fails takes no other with it, and is said. */
export async function loadExtras() {
  const loaded = await Promise.allSettled(extras.map(part));
  for (const { reason } of loaded) {
    if (!reason) continue;
    console.error(reason);
    showProblem(reason, () => location.reload()); // browsers keep what a module failed with
  }
}
