// What the page asks of the assistant's server. When nobody is logged in, the window hears "nobody".

/** What went wrong, with the server's code for it ("unreachable", "not_found", …). */
export class ServiceError extends Error {
  constructor({ code, message }, status = null) {
    super(message);
    this.code = code;
    this.status = status; // of HTTP; null where there was no answer
  }
}

/** Read something; `query` values that are null are left out. */
export async function read(path, query = {}, signal = null) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  const written = new URLSearchParams(given).toString();
  const response = await call(`api/${path}${written && "?"}${written}`, { signal });
  return response.json();
}

/** Change something: `method` is POST, PATCH, PUT or DELETE. Gives the answer, null if it is
 * empty. */
export async function send(method, path, body = null) {
  const headers = body === null ? {} : { "Content-Type": "application/json" };
  const sent = body === null ? null : JSON.stringify(body);
  const response = await call(`api/${path}`, { method, headers, body: sent });
  return response.status === 204 ? null : response.json();
}

/** A module of the page that is loaded when it is needed: `load` imports it. Raises ServiceError where
 * it does not come. */
export async function part(load) {
  try {
    return await load();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // a module that failed in its own way
    throw new ServiceError({ code: "page_unreachable", message: error.message });
  }
}

/** Ask; gives the response. Raises ServiceError, or what `signal` aborts with. */
export async function call(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError({ code: "page_unreachable", message: error.message });
  }
  if (!response.ok) {
    const body = await response.json().catch(() => ({}));
    if (body.error?.code === "not_logged_in") dispatchEvent(new Event("nobody"));
    const told = body.error ?? { code: null, message: response.statusText };
    throw new ServiceError(told, response.status);
  }
  return response;
}
