// A message's Markdown on the page, as it arrives.
//
// What is complete is drawn once and left alone: a token costs what its own block costs, however
// long the message is. The text is cut into blocks by blocks.js, read by marked, and drawn by
// elements.js without a string of HTML anywhere.

import { addLine, cutLines } from "./blocks.js";
import { colourCode } from "./code.js";
import { drawBlock, firstPlace, growCode } from "./drawing.js";

/** A text in `root` that grows: `add` what arrives, `end` when it is whole. Or `set` a whole one. */
export class GrowingMarkdown {
  #root;
  #waiting = ""; // a line that is not whole yet
  #open = null; // the block that the next line may go on with
  #drafts = []; // what is drawn and may change: {block, nodes, place}
  #place = firstPlace; // where the drafts begin
  #frame = 0;

  constructor(root) {
    this.#root = root;
    root.classList.add("prose");
  }

  /** Take `text`; it is drawn in the next frame. */
  add(text) {
    this.#waiting += text;
    this.#frame ||= requestAnimationFrame(() => this.draw());
  }

  /** Draw what has arrived, now. */
  draw() {
    const { lines, rest } = cutLines(this.#waiting);
    const complete = this.#take(lines);
    this.#waiting = rest;
    const growing = rest ? addLine(this.#open, rest.replace(/\r$/, "")) : [this.#open];
    this.#show(complete, growing);
  }

  /** Nothing follows: draw the rest, and let a code block that was never closed be complete. */
  end() {
    const { lines, rest } = cutLines(this.#waiting);
    const complete = this.#take(rest ? [...lines, rest] : lines);
    if (this.#open) complete.push({ ...this.#open, done: true });
    this.#waiting = "";
    this.#open = null;
    this.#show(complete, []);
  }

  /** Replace everything by `text`, which is whole. */
  set(text) {
    this.#root.replaceChildren();
    this.#open = null;
    this.#drafts = [];
    this.#place = firstPlace;
    this.#waiting = text;
    this.end();
  }

  #take(lines) {
    const complete = [];
    for (const line of lines) {
      const blocks = addLine(this.#open, line);
      this.#open = blocks.pop();
      complete.push(...blocks);
    }
    return complete;
  }

  #show(complete, growing) {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const blocks = [...complete, ...growing.filter(Boolean)];
    const drawn = this.#keep(blocks);
    for (const block of blocks.slice(drawn.length)) {
      const place = drawn.at(-1)?.place ?? this.#place;
      drawn.push({ block, ...drawBlock(block, place, this.#root) });
    }
    for (const { block, nodes } of drawn.slice(0, complete.length)) {
      if (block.kind !== "code" || block.done) nodes.forEach(colour);
    }
    this.#place = drawn[complete.length - 1]?.place ?? this.#place;
    this.#drafts = drawn.slice(complete.length);
  }

  /** The drafts that `blocks` begins with; the others leave the page. */
  #keep(blocks) {
    let same = 0;
    while (same < blocks.length && keeps(this.#drafts[same], blocks[same])) same += 1;
    for (const { nodes } of this.#drafts.slice(same)) nodes.forEach((node) => node.remove());
    return this.#drafts.slice(0, same).map((draft, index) => ({ ...draft, block: blocks[index] }));
  }
}

/** Whether `draft` shows `block`, perhaps once its code has grown. */
function keeps(draft, block) {
  if (!draft || draft.block.kind !== block.kind) return false;
  if (block.kind === "code") return growCode(draft, block);
  return ["source", "head", "joins"].every((part) => draft.block[part] === block[part]);
}

function colour(node) {
  if (node instanceof Element) colourCode(node.closest("figure.code") ?? node);
}
