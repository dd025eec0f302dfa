// The tree of a conversation's messages: pure functions over a Map of messages by id, in the order
// in which they came about.

/** The messages from the first one to `end`. */
export function branch(messages, end) {
  const found = [];
  for (let one = messages.get(end); one; one = messages.get(one.parent)) found.push(one);
  return found.reverse();
}

/** The messages in `message`'s place: of the same parent and role, itself among them. */
export function siblings(messages, message) {
  return [...messages.values()].filter(
    (one) => one.parent === message.parent && one.role === message.role,
  );
}

/** The end of the newest branch through the message `id`. */
export function leafBelow(messages, id) {
  const newest = new Map();
  for (const one of messages.values()) newest.set(one.parent, one.id);
  let leaf = id;
  while (newest.has(leaf)) leaf = newest.get(leaf);
  return leaf;
}

/** The answers between which nobody has chosen yet: several that were begun at once, where the
 * branch ends at their question; else none. */
export function compared(messages, end) {
  const answers = [...messages.values()].filter((one) => one.parent === end);
  const together = answers.filter((one) => one.created === answers.at(-1).created);
  return together.length > 1 && messages.get(end)?.role === "user" ? together : [];
}

/** Where the next question goes: below the branch's end, or below the first of the answers that
 * stand side by side and did not fail. */
export function nextParent(messages, end) {
  const answers = compared(messages, end);
  const good = answers.find((one) => one.status !== "failed") ?? answers[0];
  return good?.id ?? end ?? null;
}
