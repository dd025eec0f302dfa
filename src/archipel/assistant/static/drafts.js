// What one has written and not yet asked, kept by the browser, one draft a conversation.

const key = (conversation) => `archipel.draft.${conversation ?? "new"}`;

/** The draft in a conversation; `null` is the new one. */
export function readDraft(conversation) {
  return localStorage.getItem(key(conversation)) ?? "";
}

/** Keep it; an empty one is forgotten. */
export function keepDraft(conversation, text) {
  if (text) localStorage.setItem(key(conversation), text);
  else localStorage.removeItem(key(conversation));
}
