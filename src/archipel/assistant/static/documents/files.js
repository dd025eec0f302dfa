// One's own folders on this machine, as `archipel search` has indexed them: searched, files opened.

import "./prepared.js";
import { read } from "../api.js";
import { el, field, problem } from "../dom.js";
import { moment, number, say, sayCount } from "../i18n.js";
import { placeOf } from "./places.js";

const types = ["pdf", "docx", "odt", "xlsx", "pptx", "epub", "html", "md", "txt", "eml"];

/** Fill `root` with the field, the filters and what is found. */
export async function show(root, { signal }) {
  const { folders } = await read("files", {}, signal);
  const words = el("input", { type: "search", name: "q", required: true, maxlength: 1000, dir: "auto" });
  const type = el("select", { name: "type" }, new Option(say("files_any"), ""), types.map((one) => new Option(one, one)));
  const since = el("input", { type: "date", name: "since" });
  const before = el("input", { type: "date", name: "before" });
  const folder = el("select", { name: "folder", dir: "auto" }, new Option(say("files_all"), ""), folders.map(({ path }) => new Option(path, path)));
  const filters = el(
    "div",
    { class: "choices" },
    field("files_type", type),
    field("files_since", since),
    field("files_before", before),
    folders.length > 1 && field("files_in", folder),
  );
  const go = el("button", { class: "primary" }, say("files_go"));
  const found = el("div", { class: "found", role: "status" });
  const form = el("form", { class: "stack", role: "search", onsubmit: search }, field("files_words", words), filters, el("div", {}, go));
  const view = el("div", { class: "documents files" }, el("h2", {}, say("panel_files")), counted(folders), form, found);
  root.replaceChildren(view);
  words.focus();

  async function search(event) {
    event?.preventDefault();
    const asked = Object.fromEntries([...new FormData(form)].filter(([, value]) => value));
    try {
      const { hits } = await read("files/find", asked, signal);
      const count = hits.length ? sayCount("files_found", hits.length) : say("files_nothing");
      found.replaceChildren(el("p", {}, count), el("ul", { class: "hits" }, hits.map(hit)));
    } catch (error) {
      if (!signal.aborted) found.replaceChildren(problem(error, () => search()));
    }
  }
}

function counted(folders) {
  if (!folders.length) return el("p", {}, say("files_none"), " ", el("code", { dir: "ltr" }, "archipel search add ~/Documents"));
  const line = ({ path, read: files, refused }) =>
    el("li", {}, el("span", { dir: "auto" }, path), ": ", sayCount("files_read", files), refused > 0 && `, ${sayCount("files_refused", refused)}`);
  return el("ul", { class: "aside" }, folders.map(line));
}

function hit({ path, name, copies, modified, changed, anchor, quote, marks }) {
  const href = `api/files/file?${new URLSearchParams({ path })}`;
  const about = [placeOf(anchor), moment(modified), changed && say("files_changed")];
  return el(
    "li",
    {},
    el("a", { href, download: "", dir: "auto", title: path }, name),
    el("p", { class: "aside", dir: "auto" }, [path, ...about].filter(Boolean).join(" · ")),
    el("blockquote", { dir: "auto" }, marked(quote, marks)),
    copies.length > 0 && el("p", { class: "aside", dir: "auto" }, say("files_copies", { paths: copies.join(", "), count: number(copies.length) })),
  );
}

/** The quote, the found words marked. */
function marked(quote, marks) {
  const signs = [...quote]; // as Python counts them
  const parts = [];
  let done = 0;
  for (const [start, end] of marks) {
    parts.push(signs.slice(done, start).join(""), el("mark", {}, signs.slice(start, end).join("")));
    done = end;
  }
  return [...parts, signs.slice(done).join("")];
}
