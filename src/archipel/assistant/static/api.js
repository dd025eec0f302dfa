// The two calls to the assistant's server.

/** What went wrong, with the service's code for it ("unreachable", "context_length_exceeded", …). */
export class ServiceError extends Error {
  constructor({ code, message }) {
    super(message);
    this.code = code;
  }
}

/** The models to choose from and where they run: {models, host, local}. */
export async function listModels() {
  const response = await call("api/models", {});
  return response.json();
}

/**
 * Ask for the answer to the last message; `onText` gets each piece.
 * Returns the number of tokens, or null if the service does not tell it.
 */
export async function streamAnswer({ model, messages, signal, onText }) {
  const response = await call("api/chat", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ model, messages }),
    signal,
  });
  for await (const line of lines(response.body)) {
    const event = JSON.parse(line);
    if (event.error) throw new ServiceError(event.error);
    if (event.text === undefined) return event.tokens;
    onText(event.text);
  }
  throw new ServiceError({ code: "cut_off", message: "the stream ended early" });
}

async function call(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError({ code: "unreachable", message: error.message });
  }
  if (!response.ok) {
    const body = await response.json().catch(() => ({}));
    throw new ServiceError(body.error ?? { code: null, message: response.statusText });
  }
  return response;
}

async function* lines(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read().catch((error) => {
      if (error.name === "AbortError") throw error;
      throw new ServiceError({ code: "cut_off", message: error.message });
    });
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    yield* parts;
  }
}
