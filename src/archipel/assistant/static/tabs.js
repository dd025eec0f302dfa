// Other tabs of the same browser hear what this one changed.

const channel = new BroadcastChannel("archipel");

/** Tell the other tabs that a conversation, or the list of them (null), is not as it was. */
export function tellTabs(conversation = null) {
  channel.postMessage({ conversation });
}

/** Call `listener` with what another tab changed: a conversation's id, or null. */
export function hearTabs(listener) {
  channel.addEventListener("message", ({ data }) => listener(data.conversation));
}
