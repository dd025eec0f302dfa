// Pictures of a conversation: those given with a question, and those that a model makes, which have a
// module of their own.

import { part } from "../api.js";
import { el, problem } from "../dom.js";
import { addWords, say } from "../i18n.js";
import { addToMessage } from "../message_parts.js";
import { store } from "../store.js";
import { addressOf, begin } from "./given.js";

const galleries = new WeakMap(); // by the conversation's messages: elements by the answer's id

document.head.append(el("link", { rel: "stylesheet", href: new URL("pictures.css", import.meta.url).href }));
await addWords("pictures");
begin();
addToMessage((message) => (message.role === "user" ? given(message) : made(message)));

function given({ facts }) {
  if (!facts.pictures?.length) return null;
  const each = facts.pictures.map(({ id, width, height }) =>
    el("img", { src: addressOf(id), alt: say("picture_given"), width, height, loading: "lazy" }),
  );
  return el("div", { class: "pictures given" }, each);
}

/** The same element for as long as the answer is on the page: it grows. */
function made(message) {
  if (!message.progress?.wanted && !message.facts.pictures?.length) return null;
  if (!galleries.has(store.messages)) galleries.set(store.messages, new Map());
  const elements = galleries.get(store.messages);
  if (!elements.has(message.id)) elements.set(message.id, el("div", { class: "pictures made" }));
  const root = elements.get(message.id);
  fill(root, message);
  return root;
}

async function fill(root, message) {
  try {
    const { show } = await part(() => import("../gallery/gallery.js"));
    show(root, message);
  } catch (error) {
    root.replaceChildren(problem(error, () => fill(root, message)));
  }
}
