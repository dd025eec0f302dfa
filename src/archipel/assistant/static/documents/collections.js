// One's collections, as the page knows them.

import { read } from "../api.js";

let collections = [];
let wanted = null; // to be asked in the next conversation

/** Read them again; gives them, {id, name}. */
export async function load() {
  ({ collections } = await read("collections"));
  return collections;
}

/** As they were read last. */
export const known = () => collections;

/** Begin a conversation with a collection. */
export function askOf(id) {
  wanted = [id];
  location.assign("#/");
}

/** What `askOf` said, once; null: nothing. */
export function takeWanted() {
  const taken = wanted;
  wanted = null;
  return taken;
}
