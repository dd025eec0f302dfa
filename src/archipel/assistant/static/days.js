// When something was, as people say it: pure.

const dayMs = 86_400_000;

/** "today", "yesterday", "week" (the seven days before) or "older", of a time in seconds, by the
 * calendar of `now`, a Date. */
export function dayOf(seconds, now) {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  const then = seconds * 1000;
  if (then >= midnight) return "today";
  if (then >= midnight - dayMs) return "yesterday";
  return then >= midnight - 7 * dayMs ? "week" : "older";
}
