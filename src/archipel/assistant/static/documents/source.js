// A citation opened: the text around it with its words marked; of a PDF also the page.

import "./prepared.js";
import { call, read } from "../api.js";
import { el, problem } from "../dom.js";
import { say } from "../i18n.js";
import { placeOf, sourceOf } from "./places.js";

/** Fill `root` with the place that the citation `what` names. */
export async function show(root, { what: citation, signal }) {
  const query = { digest: citation.digest, spans: citation.spans.map((span) => span.join("-")).join(",") };
  const title = el("h3", { dir: "auto" }, sourceOf(citation));
  const view = el("div", { class: "source" }, title, el("blockquote", { dir: "auto" }, citation.quote));
  root.replaceChildren(view);
  const { blocks } = await read(`documents/${citation.document}/place`, query, signal);
  const text = el("section", { "aria-label": say("source_text") }, blocks.map(block));
  const href = `api/documents/${citation.document}/file`;
  view.append(text, el("a", { href, download: "" }, say("document_save")));
  text.querySelector("mark")?.scrollIntoView({ block: "nearest" });
  if (hasPage(citation.anchor)) showPage(view, citation, query, signal);
}

function hasPage({ page, part = [] }) {
  return Boolean(page) && !part.length;
}

function block({ headings, anchor, pieces }, at, all) {
  const above = headings.join(" › ");
  const isNew = above && above !== all[at - 1]?.headings.join(" › ");
  const words = pieces.map(([text, isMarked]) => (isMarked ? el("mark", {}, text) : text));
  return [
    isNew && el("p", { class: "above", dir: "auto" }, above),
    el("p", { dir: "auto", title: placeOf(anchor) }, words),
  ];
}

/** The page, drawn when it comes: the server draws it from the file. */
async function showPage(view, { document, anchor }, query, signal) {
  const place = el("div", { class: "page" }, el("progress", { "aria-label": say("page_drawing") }));
  view.append(place);
  try {
    const response = await call(`api/documents/${document}/page?${new URLSearchParams(query)}`, { signal });
    const boxes = JSON.parse(response.headers.get("x-boxes"));
    const picture = await createImageBitmap(await response.blob());
    place.replaceChildren(painted(picture, boxes, say("page_picture", { place: placeOf(anchor) })));
  } catch (error) {
    if (!signal.aborted) place.replaceChildren(problem(error));
  }
}

function painted(picture, boxes, label) {
  const { width, height } = picture;
  const canvas = el("canvas", { role: "img", "aria-label": label, width, height });
  const brush = canvas.getContext("2d");
  brush.drawImage(picture, 0, 0);
  brush.globalCompositeOperation = "multiply";
  brush.fillStyle = "#ffe27a";
  for (const [left, top, right, bottom] of boxes) brush.fillRect(left, top, right - left, bottom - top);
  return canvas;
}
