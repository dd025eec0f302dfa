// What one has written and not yet asked, kept by the browser, one draft a conversation.

const prefix = "archipel.draft.";
const key = (conversation) => `${prefix}${conversation ?? "new"}`;

/** The draft in a conversation; `null` is the new one. */
export function readDraft(conversation) {
  return localStorage.getItem(key(conversation)) ?? "";
}

/** Keep it; an empty one is forgotten. */
export function keepDraft(conversation, text) {
  if (text) localStorage.setItem(key(conversation), text);
  else localStorage.removeItem(key(conversation));
}

/** All that are kept: [key, text]. */
export function allDrafts() {
  return Object.entries(localStorage).filter(([name]) => name.startsWith(prefix));
}

/** Forget those of them that are as they were; gives whether there were any. */
export function forgetDrafts(drafts) {
  const same = drafts.filter(([name, text]) => localStorage.getItem(name) === text);
  for (const [name] of same) localStorage.removeItem(name);
  return same.length > 0;
}
