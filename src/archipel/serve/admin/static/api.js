// What the page asks of the service.

/** What went wrong, with the service's code for it ("forbidden", "not_found", …). */
export class ServiceError extends Error {
  constructor({ code, message }) {
    super(message);
    this.code = code;
  }
}

/** Read something; `query` values that are null are left out. */
export async function read(path, query = {}) {
  const response = await call(address(path, query), {});
  return response.json();
}

/** Carry out an act. */
export async function act(path, form = {}) {
  const response = await call(address(path), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(form),
  });
  return response.json();
}

/** End the session, and go to where one begins. */
export async function logOut() {
  await call("/logout", { method: "POST" });
  location.assign("/login");
}

/** The address of something that is read. */
export function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  const written = new URLSearchParams(given).toString();
  return `api/${path}${written && "?"}${written}`;
}

async function call(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    throw new ServiceError({ code: "unreachable", message: error.message });
  }
  if (response.status === 401) location.assign("/login");
  if (!response.ok) {
    const body = await response.json().catch(() => ({}));
    throw new ServiceError(body.error ?? { code: null, message: response.statusText });
  }
  return response;
}
