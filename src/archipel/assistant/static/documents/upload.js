// A document sent to a collection.

import { ServiceError } from "../api.js";

const mostBytes = 64 * 2 ** 20;

/** Send a file; `onSent(share)` from 0 to 1. Gives the document when it is read. Raises ServiceError
 * where it is refused or the connection breaks off. */
export function upload(collection, file, onSent) {
  return new Promise((resolve, reject) => {
    const fail = (code) => reject(new ServiceError({ code, message: file.name }));
    if (file.size > mostBytes) return fail("document_too_large");
    const request = new XMLHttpRequest(); // fetch does not tell how much is sent
    request.upload.addEventListener("progress", ({ loaded, total }) => onSent(loaded / total));
    for (const end of ["error", "abort"]) request.addEventListener(end, () => fail("document_cut_off"));
    request.addEventListener("load", () => {
      const told = read(request);
      if (request.status === 200) resolve(told);
      else reject(new ServiceError(told.error ?? { code: null, message: request.statusText }, request.status));
    });
    request.open("POST", `api/collections/${collection}/documents`);
    request.setRequestHeader("X-File-Name", encodeURIComponent(file.name));
    request.send(file);
  });
}

function read(request) {
  try {
    return JSON.parse(request.responseText);
  } catch {
    return {};
  }
}
