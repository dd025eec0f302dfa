// The answers of the open conversation that are growing, each followed to its end.

import { announce } from "./dom.js";
import { emit, store } from "./store.js";
import { follow } from "./stream.js";

let leaving = new AbortController();

/** Follow each message of the open conversation that grows and is not followed yet. */
export function followGrowing() {
  for (const message of store.messages.values()) {
    if (message.status === "growing" && !store.growing.has(message.id)) followOne(message);
  }
}

/** Leave them: they go on in the server. */
export function leaveGrowing() {
  leaving.abort();
  leaving = new AbortController();
  store.growing = new Set();
  emit("growing");
}

async function followOne(message) {
  const { signal } = leaving;
  const { growing, messages } = store;
  if (!growing.size) announce("answer_under_way");
  growing.add(message.id);
  emit("growing");
  try {
    const whole = await follow({
      id: message.id,
      after: message.pieces ?? 0,
      signal,
      onPiece(text, number) {
        message.text += text;
        message.pieces = number;
        emit("piece", { message, text });
      },
      onProgress(progress) {
        message.progress = progress;
        emit("progress", message);
      },
      onLink: (connected) => emit("link", connected),
    });
    end(messages, message, whole);
  } catch (error) {
    if (signal.aborted) return;
    end(messages, message, { ...message, status: "failed", facts: { error } });
  }
  growing.delete(message.id);
  const ready = messages.get(message.id).status === "done";
  if (!growing.size) announce(ready ? "answer_ready" : "answer_ended");
  emit("growing");
}

function end(messages, message, whole) {
  messages.set(message.id, whole);
  emit("message", whole);
}
