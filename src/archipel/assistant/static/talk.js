// What can be done with the open conversation: open, ask, ask again, stop, show another branch.

import { read, send } from "./api.js";
import { followGrowing, leaveGrowing } from "./live.js";
import { loadProse } from "./prose.js";
import { emit, store } from "./store.js";
import { branch, leafBelow, nextParent } from "./tree.js";
import { tellTabs } from "./tabs.js";

let opening = 0; // the last of several that were asked for wins

/** Begin with nothing: the next question opens a conversation. */
export function openNew() {
  opening += 1;
  show({ conversation: null, messages: [] });
}

/** Keep what is open: what is still on its way is not shown. */
export function stay() {
  opening += 1;
}

/** Open a conversation; with `message`, on the branch that holds it. */
export async function openConversation(id, message = null) {
  const mine = (opening += 1);
  loadProse();
  const found = await read(`conversations/${id}`);
  if (mine !== opening) return;
  show(found, message);
  followGrowing();
}

/** Open what somebody shares by a link. */
export async function openShared(token) {
  const mine = (opening += 1);
  loadProse();
  const link = encodeURIComponent(token);
  const { title, messages } = await read(`shared/${link}`);
  if (mine !== opening) return;
  const shown = messages.at(-1)?.id ?? null;
  show({ conversation: { id: null, title, shown }, messages }, null, link);
}

/** Ask `text` of the models, below the branch's end or, edited, below `parent`. `more` goes into
 * the request beside them. Gives the question's message. */
export async function ask({ text, models, parent, more = {} }) {
  const conversation = store.conversation?.id ?? null;
  const below = parent === undefined ? nextParent(store.messages, store.shown) : parent;
  const body = { conversation, parent: below, text, models, ...more };
  return begin("questions", body);
}

/** Another answer to a question, of each of the models; `more` goes into the request. */
export async function askAgain(question, models, more = {}) {
  return begin(`messages/${question}/answers`, { models, ...more });
}

/** End the answers under way where they are. */
export async function stopAll() {
  await Promise.all([...store.growing].map((id) => send("POST", `messages/${id}/stop`)));
}

/** Show the newest branch through a message, here and when the conversation is opened again. */
export async function showBranch(message) {
  await keepShown(leafBelow(store.messages, message));
}

/** Show the branch that ends at a message. */
export async function keepShown(end) {
  store.shown = end;
  emit("branch");
  if (!store.readOnly) await changeConversation(store.conversation.id, { shown: end });
}

/** A new conversation with the messages up to one; gives its id. */
export async function fork(message) {
  const { id } = await send("POST", `conversations/${store.conversation.id}/fork`, { message });
  tellTabs(id);
  return id;
}

/** Change a conversation's title, folder, pin or shown branch. */
export async function changeConversation(id, change) {
  noteChange(await send("PATCH", `conversations/${id}`, change));
}

/** A conversation is as given now: here, in the list, in other tabs. */
export function noteChange(conversation) {
  if (store.conversation?.id === conversation.id) store.conversation = conversation;
  emit("changed", conversation);
  tellTabs(conversation.id);
}

/** The messages of the branch that is shown. */
export function shownBranch() {
  return branch(store.messages, store.shown);
}

function show({ conversation, messages }, message = null, link = null) {
  leaveGrowing();
  store.conversation = conversation;
  store.messages = new Map(messages.map((one) => [one.id, one]));
  store.link = link;
  store.readOnly = link !== null;
  store.shown = conversation?.shown ?? null;
  if (store.messages.has(message) && !shownBranch().some((one) => one.id === message)) {
    store.shown = leafBelow(store.messages, message);
  }
  emit("branch");
}

/** Have answers begin, and show them if the person is still here. */
async function begin(path, body) {
  const { messages } = store;
  loadProse();
  const { conversation, question, answers } = await send("POST", path, body);
  if (store.messages === messages) {
    stay();
    for (const one of [question, ...answers]) messages.set(one.id, one);
    store.conversation = conversation;
    store.shown = conversation.shown;
    emit("branch");
    followGrowing();
  }
  noteChange(conversation);
  return question;
}
