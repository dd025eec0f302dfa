// What the page knows, and who wants to hear that it changed.
//
// Events: "models"; "list" (conversations or folders); "branch" (another conversation or branch is
// shown, a message was added); "message" (one is as the event's argument says);
// "chosen" (the next question has the argument as its action; null: none);
// "progress" (the making of the argument is elsewhere); "growing" (answers began or ended); "action",
// "parts" (something more can be done with messages, or is shown of them); "prose" (Markdown can be
// drawn); "link" (the connection to the assistant was lost or is back).

/** `messages` are the open conversation's, by id, in the order in which they came about; `shown` is
 * where its branch ends. `link`: the token of the link that opened it, and so it is `readOnly`. */
export const store = {
  models: [],
  about: {},
  preferred: null,
  host: "",
  local: false,
  conversation: null,
  messages: new Map(),
  shown: null,
  link: null,
  readOnly: false,
  growing: new Set(),
  folders: [],
};

const listeners = new Map();

/** Call `listener` with the argument of each `event`, until `signal` ends if there is one. */
export function on(event, listener, signal = null) {
  listeners.set(event, [...(listeners.get(event) ?? []), listener]);
  const leave = () => listeners.set(event, listeners.get(event).filter((one) => one !== listener));
  signal?.addEventListener("abort", leave);
}

/** Say that something changed. */
export function emit(event, argument = null) {
  for (const listener of listeners.get(event) ?? []) listener(argument);
}
