// The collections that one may ask, as the page knows them.

import { read } from "../api.js";
import { say } from "../i18n.js";

let collections = [];
let projects = []; // that one's own can be shared with
let folders = false; // of this machine that can be searched
let wanted = null; // to be asked in the next conversation

/** Read them again; gives them, {id, name, project, owner, may}: `owner` shares it (null: it is
 * one's own), `may` is "read", "edit" or "own". */
export async function load() {
  ({ collections, projects, folders } = await read("collections"));
  return collections;
}

/** As they were read last. */
export const known = () => collections;

/** One's projects, as they were read last. */
export const knownProjects = () => projects;

/** Whether folders of this machine can be searched. */
export const hasFolders = () => folders;

/** A collection's name, with who shares it. */
export function called({ name, owner }) {
  return owner ? say("collection_of", { name, owner }) : name;
}

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
