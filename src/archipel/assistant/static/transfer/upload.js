// A file sent to be imported: how much of it is there, then what becomes of each conversation.

import { ServiceError } from "../api.js";

const mostBytes = 2 ** 31;

/** Send a file. `onSent(share)` from 0 to 1, then `onEvent(event)` for each line of the answer.
 * Raises ServiceError where it is refused or the connection breaks off. */
export function upload(file, { onSent, onEvent }) {
  return new Promise((resolve, reject) => {
    const fail = (code, message) => reject(new ServiceError({ code, message }));
    if (file.size > mostBytes) return fail("import_too_large", file.name);
    const request = new XMLHttpRequest(); // fetch does not tell how much is sent
    const lines = linesOf(request, onEvent);
    request.upload.addEventListener("progress", ({ loaded, total }) => onSent(loaded / total));
    request.addEventListener("progress", lines.read);
    request.addEventListener("error", () => fail("import_cut_off", file.name));
    request.addEventListener("abort", () => fail("import_cut_off", file.name));
    request.addEventListener("load", () => {
      if (request.status !== 200) return reject(new ServiceError(refusal(request)));
      lines.read();
      if (lines.ended()) resolve();
      else fail("import_cut_off", file.name);
    });
    request.open("POST", "api/import");
    request.setRequestHeader("X-File-Name", encodeURIComponent(file.name));
    request.send(file);
  });
}

/** The lines of JSON that have come whole, each given once. */
function linesOf(request, onEvent) {
  let place = 0;
  let last = null;
  return { read, ended: () => last?.kind === "end" };

  function read() {
    if (request.status !== 200) return;
    const text = request.responseText;
    for (let end = text.indexOf("\n", place); end >= 0; end = text.indexOf("\n", place)) {
      last = JSON.parse(text.slice(place, end));
      onEvent(last);
      place = end + 1;
    }
  }
}

function refusal(request) {
  try {
    return JSON.parse(request.responseText).error;
  } catch {
    return { code: null, message: request.statusText };
  }
}
