// A file of the assistant's server, saved by the browser as it comes.

import { el } from "./dom.js";

/** Save what is at `url` under the name that the server gives it. */
export function download(url) {
  const link = el("a", { href: url, download: "", hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
}
