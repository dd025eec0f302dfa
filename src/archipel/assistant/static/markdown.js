// Markdown, as models write it, into DOM nodes. Text only ever enters through textContent.
//
// A block is a paragraph, a heading, a list, or fenced code. What follows never changes a block
// that is complete, so a streamed answer renders its last block again and leaves the others alone.

import { say } from "./i18n.js";

const fence = /^\s{0,3}```\s*([\w+#.-]*)/;
const heading = /^#{1,6}\s+(.*)/;
const item = /^(\s*)(?:[-*+]|(\d{1,9})[.)])\s+(.*)/;

/** An answer that grows: `add` text as it arrives, the last block is drawn once per frame. */
export class GrowingMarkdown {
  #root;
  #tail = "";
  #tailNode = null;
  #frame = 0;

  constructor(root) {
    this.#root = root;
  }

  add(text) {
    this.#tail += text;
    this.#frame ||= requestAnimationFrame(() => this.draw());
  }

  /** Draw what has arrived, now. */
  draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const blocks = splitBlocks(this.#tail);
    const nodes = blocks.map(({ lines }) => renderBlock(lines));
    if (this.#tailNode) this.#tailNode.remove();
    this.#root.append(...nodes);
    this.#tailNode = nodes.at(-1) ?? null;
    this.#tail = blocks.length ? this.#tail.slice(blocks.at(-1).start) : "";
  }

  /** Nothing follows. */
  end() {
    this.draw();
  }

  /** Replace everything by `text`, which is whole. */
  set(text) {
    this.#root.replaceChildren();
    this.#tailNode = null;
    this.#tail = text;
    this.draw();
  }
}

/** The blocks of `text`, each with its lines and where it starts. */
function splitBlocks(text) {
  const blocks = [];
  let kind = "";
  let offset = 0;
  for (const line of text.split("\n")) {
    const next = kindOf(line, kind);
    const opensCode = next === "code" && kind !== "code";
    if (next && (next !== kind || opensCode || next === "heading")) {
      blocks.push({ start: offset, lines: [] });
    }
    if (next || kind === "code") blocks.at(-1).lines.push(line);
    kind = next;
    offset += line.length + 1;
  }
  return blocks;
}

/** The kind of block that `line` belongs to, after a line of kind `before`; "" between blocks. */
function kindOf(line, before) {
  if (before === "code") return fence.test(line) ? "" : "code";
  if (fence.test(line)) return "code";
  if (!line.trim()) return "";
  if (heading.test(line)) return "heading";
  if (item.test(line) || before === "list") return "list";
  return "paragraph";
}

function renderBlock(lines) {
  if (fence.test(lines[0])) return renderCode(lines);
  if (heading.test(lines[0])) return element("h3", inline(lines[0].match(heading)[1]));
  if (item.test(lines[0])) return renderList(lines);
  return element("p", inline(lines.join("\n")));
}

function renderCode([first, ...lines]) {
  if (lines.length && fence.test(lines.at(-1))) lines.pop();
  const copy = element("button", [say("copy")]);
  copy.type = "button";
  copy.dataset.text = "copy";
  const code = element("code", [lines.join("\n")]);
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code.textContent);
    copy.textContent = say("copied");
  });
  const caption = element("figcaption", [element("span", [first.match(fence)[1]]), copy]);
  const figure = element("figure", [caption, element("pre", [code])]);
  figure.className = "code";
  return figure;
}

function renderList(lines) {
  const number = lines[0].match(item)[2];
  const list = element(number ? "ol" : "ul", []);
  if (number) list.start = Number(number);
  for (const line of lines) {
    const [, indent, , text] = line.match(item) ?? [];
    if (text === undefined) {
      list.lastChild.append(" ", ...inline(line.trim()));
      continue;
    }
    const entry = element("li", inline(text));
    if (indent.length > 1) entry.className = "nested";
    list.append(entry);
  }
  return list;
}

/** Text with `code` and **bold** as nodes. */
function inline(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(/`([^`\n]+)`|\*\*([^*\n]+)\*\*/g)) {
    const [whole, code, bold] = match;
    nodes.push(text.slice(end, match.index));
    nodes.push(code ? element("code", [code]) : element("strong", [bold]));
    end = match.index + whole.length;
  }
  return [...nodes, text.slice(end)];
}

function element(tag, children) {
  const made = document.createElement(tag);
  made.append(...children);
  return made;
}
