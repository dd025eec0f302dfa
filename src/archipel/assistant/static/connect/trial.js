// A test: the assistant asks the service something short, and what comes back is shown.

import { send } from "../api.js";
import { announce, el, problem } from "../dom.js";
import { number, say } from "../i18n.js";

/** A button that tests (`what` is models, fill or chat) for what is called `label`, and its result. */
export function trialPart(what, model, label) {
  const result = el("div", { class: "result" });
  const name = say("connect_try_of", { label });
  const attributes = { type: "button", class: "small", "aria-label": name, onclick: run };
  let running = false;
  return el("div", { class: "trial" }, el("button", attributes, say("connect_try")), result);

  async function run() {
    if (running) return;
    running = true;
    result.replaceChildren(el("p", {}, say("connect_trying")));
    announce("connect_trying");
    try {
      const answer = await send("POST", "connect/try", { what, model: model ?? "" });
      result.replaceChildren(answered(answer));
      announce("connect_answers", { time: time(answer) });
    } catch (error) {
      result.replaceChildren(problem(error, run));
    } finally {
      running = false;
    }
  }
}

function answered(answer) {
  const text = answer.text.trim();
  const said = text ? el("code", { dir: "auto" }, text) : el("span", {}, say("connect_empty"));
  return el("p", { class: "good" }, say("connect_answers", { time: time(answer) }), " ", said);
}

function time({ seconds }) {
  if (seconds >= 1) return number(seconds, { style: "unit", unit: "second", maximumFractionDigits: 1 });
  return number(Math.ceil(seconds * 1000), { style: "unit", unit: "millisecond" });
}
