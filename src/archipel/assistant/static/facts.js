// What an answer says about itself: how fast, how long, which model, where; what was left out of
// the question; why it ended early.

import { answerPlace, money } from "./about.js";
import { attempt, button, el, problem } from "./dom.js";
import { number, say, sayCount } from "./i18n.js";
import { store } from "./store.js";
import { askAgain } from "./talk.js";

/** The line of facts under an answer. */
export function factsOf(message) {
  if (message.role !== "assistant") return el("p", { class: "facts" });
  const { facts, model } = message;
  const known = [
    model,
    facts.completion_tokens && sayCount("tokens", facts.completion_tokens),
    speedOf(facts) && say("speed", { rate: speedOf(facts) }),
    facts.provider && say("by_provider", { provider: facts.provider }),
    model && store.host && placeOf(facts),
    facts.cost?.amount > 0 && money(facts.cost.amount, facts.cost.currency),
    facts.context_left !== undefined && say("context_left", { count: number(facts.context_left) }),
  ];
  return el("p", { class: "facts" }, known.filter(Boolean).join(" · "));
}

/** Where it was answered. A service that names who answered and not where passed it on: then what
 * is known is the way. */
function placeOf(facts) {
  if (facts.place || !facts.provider) return answerPlace(facts);
  return store.local ? say("through_here") : say("through_host", { host: store.host });
}

/** Tokens per second after the first one, as people read it; null if it was not measured. */
function speedOf({ completion_tokens: tokens, seconds, first_seconds: first }) {
  const rate = (tokens - 1) / (seconds - first);
  if (!(tokens > 1) || !Number.isFinite(rate)) return null;
  return number(rate, { maximumFractionDigits: rate < 10 ? 1 : 0 });
}

/** What the person should know of an answer, as elements. */
export function noticesOf(message) {
  const { facts, status } = message;
  const found = [];
  if (facts.left_out) found.push(notice(sayCount("left_out", facts.left_out)));
  if (facts.ended === "length") found.push(notice(say("ended_length")));
  if (facts.ended === "circles") found.push(notice(say("ended_circles"), retry(message)));
  if (facts.memory?.length && !store.readOnly) found.push(usedMemories(facts.memory));
  if (status === "stopped") found.push(notice(say("stopped"), retry(message)));
  if (status === "failed") found.push(failure(message));
  return found;
}

function usedMemories(ids) {
  const see = el("a", { href: `#/settings/${ids.join(",")}` }, say("used_memories_see"));
  return notice(sayCount("used_memories", ids.length), see);
}

function notice(text, act = null) {
  return el("p", { class: "notice" }, el("span", {}, text), act);
}

function retry(message) {
  return store.readOnly ? null : button("retry", () => again(message), "small");
}

function failure(message) {
  const { code = null, message: text = "" } = message.facts.error ?? {};
  return problem({ code, message: text }, store.readOnly ? null : () => again(message));
}

function again(message) {
  const { like } = message.facts;
  return attempt(() => askAgain(message.parent, [message.model], like ? { like } : {}));
}
