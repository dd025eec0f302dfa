// Code that was repaired or made faster: what proves the result.

import { setQuestion } from "../composer.js";
import { button, copyText, el } from "../dom.js";
import { number, say } from "../i18n.js";

const good = new Set(["fixed", "faster", "nothing to repair"]);
const digits = { maximumSignificantDigits: 3 };

/** The verdict, figures before and after, the difference, and what can be done with the result. */
export function evidenceView({ verdict, before, attempts, code, patch }) {
  const last = attempts.at(-1);
  const earlier = attempts.slice(0, -1).map((one, place) => earlierView(one, place + 1));
  const kind = `verdict ${good.has(verdict) ? "good" : "bad"}`;
  return el(
    "div",
    { class: "evidence" },
    el("p", { class: kind }, say(`verdict_${verdict.replaceAll(" ", "_")}`)),
    figures(before, last),
    reasons(last?.checked ?? before, last?.difference),
    last && !code && last.words && el("p", { dir: "auto" }, last.words),
    last && diffView(last.diff),
    code && acts(code, patch),
    earlier,
  );
}

function earlierView(attempt, place) {
  const verdict = say(`verdict_${attempt.verdict.replaceAll(" ", "_")}`);
  const title = say("version", { attempt: number(place), verdict });
  const told = [attempt.checked && reasons(attempt.checked, attempt.difference), diffView(attempt.diff)];
  return el("details", {}, el("summary", {}, title), told);
}

function figures(before, last) {
  const after = last?.checked;
  const { timing } = last ?? {};
  const rows = [row("figure_checks", counts(before), after ? counts(after) : "–")];
  if (timing) {
    const spread = { low: number(1 / timing.high, digits), high: number(1 / timing.low, digits) };
    const gain = say("gain", { gain: number(timing.gain, digits), ...spread, pairs: number(timing.pairs) });
    rows.push(row("figure_time", seconds(timing.before_seconds), seconds(timing.after_seconds), gain));
    rows.push(row("figure_memory", bytes(timing.before_peak_bytes), bytes(timing.after_peak_bytes)));
  }
  const heads = ["", say("figure_before"), say("figure_after"), ""];
  const head = el("tr", {}, heads.map((text) => (text ? el("th", { scope: "col" }, text) : el("td"))));
  return el("table", { class: "figures" }, el("thead", {}, head), el("tbody", {}, rows));
}

function row(word, ...cells) {
  const shown = [...cells, ""].slice(0, 3).map((text) => el("td", {}, text));
  return el("tr", {}, el("th", { scope: "row" }, say(word)), shown);
}

function counts({ passed, counted }) {
  return say("of", { passed: number(passed), counted: number(counted) });
}

function seconds(value) {
  const [unit, factor] = value < 0.001 ? ["microsecond", 1e6] : value < 1 ? ["millisecond", 1000] : ["second", 1];
  return number(value * factor, { ...digits, style: "unit", unit });
}

function bytes(value) {
  return number(value / 1e6, { ...digits, style: "unit", unit: "megabyte" });
}

/** Why it is not good: what could not be loaded or is not believed, and what did not pass. */
function reasons({ trouble, doubt, checks }, difference = "") {
  const failed = checks.filter(({ result }) => !["passed", "skipped"].includes(result));
  const texts = [trouble, doubt, difference].filter(Boolean);
  if (!failed.length && !texts.length) return null;
  const each = failed.map(({ name, result, detail }) =>
    el("li", {}, el("code", {}, name), ` ${say(`check_${result.replaceAll(" ", "_")}`)}`, detail && el("pre", {}, detail)),
  );
  return el("div", { class: "reasons" }, texts.map((text) => el("pre", {}, text)), el("ul", {}, each));
}

/** Lines that went, came and stayed. */
export function diffView(lines) {
  if (!lines?.length) return null;
  const tags = { removed: "del", added: "ins", same: "span", gap: "span" };
  const signs = { removed: "− ", added: "+ ", same: "  ", gap: "⋯" };
  const each = lines.map(({ kind, text }) => el(tags[kind], {}, `${signs[kind]}${text}\n`));
  return el("pre", { class: "code-diff", tabindex: "0", "aria-label": say("changes") }, each);
}

function acts(code, patch) {
  return el(
    "div",
    { class: "acts", role: "group", "aria-label": say("apply") },
    button("copy_code", () => copyText(code), "small"),
    button("save_patch", () => save(patch), "small"),
    button("use_result", () => setQuestion(code), "small"),
  );
}

function save(text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/x-diff" }));
  el("a", { href: url, download: "archipel.patch" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
