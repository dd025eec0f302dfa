// What became of an imported file: the sums, what could not be taken, each file, each conversation.

import { el } from "../dom.js";
import { knows, number, say, sayCount } from "../i18n.js";

const shownRows = 300;
const whats = ["imported", "updated", "there", "left_out"];

/** The report of a file, of the events of its import. */
export function reportOf(name, events) {
  const end = events.find(({ kind }) => kind === "end");
  const conversations = events.filter(({ kind }) => kind === "conversation");
  const files = events.filter(({ kind }) => kind === "file");
  return el(
    "section",
    { class: "report stack", "aria-label": say("report_of", { name }) },
    el("h3", { dir: "auto" }, say("report_of", { name })),
    end && summary(end),
    end?.reason && el("p", { class: "bad", role: "alert" }, reasonOf(end.reason)),
    (files.length > 1 || files.some(({ reason }) => reason)) && fileTable(files),
    conversations.length > 0 && conversationTable(conversations),
  );
}

function summary(end) {
  const counts = whats.filter((what) => end[what]).map((what) => sayCount(`sum_${what}`, end[what]));
  const parts = [...counts, sayCount("sum_messages", end.messages)];
  if (end.others) parts.push(sayCount("sum_others", end.others));
  const left = leftOf(end.left);
  return [el("p", {}, `${parts.join(", ")}.`), left && el("p", {}, say("left", { left }))];
}

/** The messages that could not be taken, by the words for their kinds. */
function leftOf(left = {}) {
  const counts = new Map();
  for (const [kind, count] of Object.entries(left)) {
    const word = knows(`left_${kind}`) ? say(`left_${kind}`) : kind;
    counts.set(word, (counts.get(word) ?? 0) + count);
  }
  const sorted = [...counts].sort(([, one], [, other]) => other - one);
  return sorted.map(([word, count]) => `${word} ${number(count)}`).join(", ");
}

/** In the page's words where it has them, then in the server's, which name the case. */
function reasonOf({ code, message }) {
  const key = `reason_${code}`;
  return knows(key) ? `${say(key)} (${message})` : message;
}

function fileTable(files) {
  const row = (file) => [
    file.file,
    ...whats.map((what) => number(file[what])),
    [leftOf(file.left), file.reason && reasonOf(file.reason)].filter(Boolean).join("; "),
  ];
  const heads = ["report_file", ...whats.map((what) => `what_${what}`), "report_left"];
  return table("report_files", heads, files.map(row));
}

function conversationTable(conversations) {
  const order = (one) => (one.what === "left_out" ? 0 : Object.keys(one.left ?? {}).length ? 1 : 2);
  const sorted = conversations.toSorted((one, other) => order(one) - order(other));
  const shown = sorted.slice(0, shownRows);
  const row = ({ title, conversation, what, messages, left, reason }) => [
    conversation ? el("a", { href: `#/c/${conversation}` }, title || say("untitled")) : title,
    say(`what_${what}`),
    messages === undefined ? "" : number(messages),
    reason ? reasonOf(reason) : leftOf(left),
  ];
  const heads = ["report_title", "report_what", "report_messages", "report_left"];
  const more = sorted.length - shown.length;
  return [
    table("report_conversations", heads, shown.map(row)),
    more > 0 && el("p", {}, sayCount("report_more", more)),
  ];
}

function table(name, heads, rows) {
  const head = el("tr", {}, heads.map((word) => el("th", { scope: "col" }, say(word))));
  const body = rows.map((cells) => el("tr", {}, cells.map((cell) => el("td", { dir: "auto" }, cell))));
  const inside = [el("caption", {}, say(name)), el("thead", {}, head), el("tbody", {}, body)];
  const attributes = { class: "scroll", role: "region", tabindex: "0", "aria-label": say(name) };
  return el("div", attributes, el("table", {}, inside));
}
