// The assistant's page: what the person does, and what it sets going.

import { ServiceError, listModels, streamAnswer } from "./api.js";
import { preferredLanguage, say, setLanguage, translate } from "./i18n.js";
import { clear, showAnswer, showProblem, showQuestion } from "./transcript.js";

const $ = (selector) => document.querySelector(selector);
const question = $("#question");
const rememberedModel = "archipel.model";

let messages = [];
let underWay = null; // the AbortController of the answer that is growing

async function loadModels() {
  const { models, host, local } = await listModels();
  if (!models.length) throw new ServiceError({ code: "no_models", message: host });
  $("#model").replaceChildren(...models.map((name) => new Option(name, name)));
  const before = localStorage.getItem(rememberedModel);
  if (models.includes(before)) $("#model").value = before;
  const place = $("#place");
  place.dataset.text = local ? "on_this_machine" : "on_host";
  place.dataset.host = host;
  place.classList.toggle("local", local);
  place.hidden = false;
  translate(place.parentElement);
}

function begin() {
  return loadModels().catch((error) => showProblem(error, begin));
}

function showSuggestions() {
  const buttons = ["write", "explain", "ideas", "code"].map((name) => {
    const button = document.createElement("button");
    button.type = "button";
    for (const [tag, key] of [["strong", `suggestion_${name}_title`], ["span", `suggestion_${name}`]]) {
      const text = document.createElement(tag);
      text.dataset.text = key;
      button.append(text);
    }
    button.addEventListener("click", () => ask(say(`suggestion_${name}`)));
    const entry = document.createElement("li");
    entry.append(button);
    return entry;
  });
  $("#suggestions").replaceChildren(...buttons);
}

function ask(text) {
  if (messages.at(-1)?.role === "user") messages.pop(); // it was never answered
  messages.push({ role: "user", content: text });
  showQuestion(text);
  return answer();
}

/** Stream the answer to the last message into the page and the conversation. */
async function answer() {
  const conversation = messages;
  const stopping = new AbortController();
  const view = showAnswer();
  let text = "";
  let pieces = 0;
  let firstAt = 0;
  setUnderWay(stopping);
  try {
    if (!$("#model").value) await loadModels();
    const tokens = await streamAnswer({
      model: $("#model").value,
      messages: conversation,
      signal: stopping.signal,
      onText(piece) {
        firstAt ||= performance.now();
        pieces += 1;
        text += piece;
        view.add(piece);
      },
    });
    const count = tokens ?? pieces;
    const rate = (count - 1) / ((performance.now() - firstAt) / 1000);
    const measured = count > 1 && Number.isFinite(rate);
    view.end(measured && "speed", { tokens: count, rate: rate.toFixed(rate < 10 ? 1 : 0) });
    keep();
    announce("answer_ready");
  } catch (error) {
    const stopped = error.name === "AbortError";
    view.end(stopped && "stopped");
    if (stopped) keep();
    announce(stopped ? "stopped" : "error");
    if (!stopped) showProblem(error, answer);
  } finally {
    if (underWay === stopping) setUnderWay(null);
  }

  function keep() {
    if (text) conversation.push({ role: "assistant", content: text });
  }
}

function setUnderWay(stopping) {
  underWay = stopping;
  $("#welcome").hidden = messages.length > 0;
  $("#send").hidden = stopping !== null;
  $("#stop").hidden = stopping === null;
  if (stopping) announce("answer_under_way");
}

function announce(key) {
  $("#status").dataset.text = key;
  $("#status").textContent = say(key);
}

function fitQuestion() {
  question.style.height = "auto";
  question.style.height = `${question.scrollHeight}px`;
}

$("#composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = question.value.trim();
  if (!text || underWay) return;
  question.value = "";
  fitQuestion();
  ask(text);
});

question.addEventListener("input", fitQuestion);
question.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("#composer").requestSubmit();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") underWay?.abort();
});

$("#stop").addEventListener("click", () => {
  underWay?.abort();
  question.focus();
});

$("#new").addEventListener("click", () => {
  underWay?.abort();
  messages = [];
  setUnderWay(null);
  clear();
  announce("new_chat");
  question.focus();
});

$("#model").addEventListener("change", (event) => {
  localStorage.setItem(rememberedModel, event.target.value);
});

$("#language").addEventListener("change", (event) => setLanguage(event.target.value));

$("#language").value = preferredLanguage();
showSuggestions();
await setLanguage($("#language").value);
document.body.classList.add("ready");
await begin();
