// Where a link of a message may lead: to the web or to a mailbox. Pure.

const schemes = ["http:", "https:", "mailto:"];
const lengthLimit = 2048;

/** The URL that a message's `href` names, or null if a page should not offer to follow it. */
export function safeUrl(href) {
  // Relative addresses would lead into this page's own service, so only whole ones are read.
  if (href.length > lengthLimit || !URL.canParse(href)) return null;
  const url = new URL(href);
  return schemes.includes(url.protocol) && !url.username && !url.password ? url : null;
}

/** Whether `text` reads like the address of another host than the one that `url` leads to. */
export function misleads(text, url) {
  const [, host] = text.trim().match(/^(?:https?:\/\/|(?=www\.))([^\s/:?#@]+)/i) ?? [];
  if (!host || url.protocol === "mailto:") return false;
  const bare = (name) => name.toLowerCase().replace(/^www\./, "");
  return URL.canParse(`http://${host}`) && bare(new URL(`http://${host}`).host) !== bare(url.hostname);
}
