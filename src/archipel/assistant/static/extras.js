// Modules that add to the page once it is there; each is imported for what it does on loading.

const extras = [
  () => import("./voice.js"),
  () => import("./actions/actions.js"),
  () => import("./pictures/pictures.js"),
  () => import("./documents/documents.js"),
];

/** Load them all; one that fails takes no other with it. */
export async function loadExtras() {
  const loaded = await Promise.allSettled(extras.map((load) => load()));
  for (const { reason } of loaded) if (reason) console.error(reason);
}
