// An answer's server-sent events, read with fetch: numbered pieces, where its making is, then the
// message as it is kept.

import { call } from "./api.js";

const firstWaitMs = 400;
const longestWaitMs = 8000;

/** Follow the answer `id` from the piece after number `after` to its end; gives the message. A lost
 * connection is taken up again at the last number, after ever longer waits.
 * `onPiece(text, number)`, `onProgress(where)`, `onLink(connected)`. Raises what the server refuses
 * with, or AbortError. */
export async function follow({ id, after, signal, onPiece, onProgress, onLink }) {
  let waitMs = firstWaitMs;
  for (;;) {
    try {
      const response = await call(`api/messages/${id}/events?after=${after}`, { signal });
      onLink(true);
      for await (const { event, number, data } of events(response.body)) {
        if (event === "end") return data;
        waitMs = firstWaitMs;
        if (event === "progress") {
          onProgress(data);
          continue;
        }
        after = number;
        onPiece(data, number);
      }
    } catch (error) {
      if (signal.aborted || !isLoss(error)) throw error;
    }
    onLink(false);
    await pause(waitMs, signal);
    waitMs = Math.min(2 * waitMs, longestWaitMs);
  }
}

/** Whether an error passes: the network's (a TypeError of its own while reading), or a server's in
 * trouble. */
function isLoss(error) {
  return error.code === "page_unreachable" || error.status >= 500 || error.name === "TypeError";
}

/** Wait, but not longer than until the browser says that it is online again. */
function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const ended = new AbortController();
    const end = (act) => () => {
      clearTimeout(timer);
      ended.abort();
      act();
    };
    const timer = setTimeout(end(resolve), milliseconds);
    addEventListener("online", end(resolve), { signal: ended.signal });
    signal.addEventListener("abort", end(() => reject(signal.reason)), { signal: ended.signal });
  });
}

/** The events of a stream: {event, number, data}. */
async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    yield* parts.map(parsed);
  }
}

function parsed(text) {
  const lines = text.split("\n").map((line) => line.split(/: (.*)/s));
  const fields = Object.fromEntries(lines);
  return { event: fields.event, number: Number(fields.id), data: JSON.parse(fields.data) };
}
