// Where one block of a message ends and the next begins, decided line by line. Pure.
//
// A block is what can be drawn on its own and is never drawn again once the next has begun: a
// paragraph, a heading, a quote; one item of a list; one row of a table; a piece of a code block.
// So a long list or a long program costs no more to go on with than a short one.
//
//   {kind: "text", source}                       whatever else Markdown has; marked reads it
//   {kind: "item", source, marker, joins}        `joins`: goes on with the list before it
//   {kind: "row", head, source, joins}           `head`: the table's first two lines
//   {kind: "code", info, source, piece, done}    `piece`: its number within its code block

import { isTable } from "./lexer.js";

const lineLimit = 8192; // characters: a longer line counts as several
const blockLimit = 32768; // characters: a longer block goes on as another
const pieceLimit = 4096; // characters of code that are laid out together

const fencePattern = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,})\s*(.*)$/;
const headingPattern = /^ {0,3}#{1,6}(?:\s|$)/;
const rulePattern = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:_[ \t]*){3,}|(?:\*[ \t]*){3,})$/;
const quotePattern = /^ {0,3}>/;
const itemPattern = /^( {0,3})([-*+]|\d{1,9}[.)])(?:([ \t]+)(.*))?$/;
const delimiterPattern = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*(?::?-+:?[ \t]*)?)*$/;
const formulaPattern = /^ {0,3}(\$\$|\\\[)(.*)$/s;

/** The whole lines of `text`, and the rest, which more text may go on with. */
export function cutLines(text) {
  const lines = [];
  let start = 0;
  for (;;) {
    const end = text.indexOf("\n", start) + 1;
    if (end && end - start <= lineLimit) {
      lines.push(text.slice(start, end).replace("\r\n", "\n"));
      start = end;
    } else if (text.length - start > lineLimit) {
      const whole = isHighSurrogate(text.charCodeAt(start + lineLimit - 1)) ? 1 : 0;
      lines.push(text.slice(start, start + lineLimit - whole));
      start += lineLimit - whole;
    } else {
      return { lines, rest: text.slice(start) };
    }
  }
}

/**
 * The blocks that are there when `line` follows the block `open`; the last of them is open,
 * or null if nothing is.
 */
export function addLine(open, line) {
  if (!open) return begin(line);
  if (open.kind === "code") return goOnWithCode(open, line);
  if (open.source.length + line.length > blockLimit) return [open, ...begin(line)];
  if (open.kind === "item") return goOnWithItem(open, line);
  if (open.kind === "row") return goOnWithTable(open, line);
  return goOnWithText(open, line);
}

function begin(line) {
  const bare = line.trimEnd();
  if (!bare.trim()) return [null];
  const fence = bare.match(fencePattern);
  if (fence) return [codeBlock(fence)];
  if (headingPattern.test(bare)) return [{ kind: "text", source: line }, null];
  const item = matchItem(bare);
  if (item) return [listItem(item, line)];
  const indented = indentOf(line) >= 4;
  return followFormula({ kind: "text", source: "", indented, closer: null }, line);
}

// Code

function codeBlock([, indent, marks, info]) {
  const fence = { mark: marks[0], length: marks.length, indent: indent.length };
  return { kind: "code", fence, info, source: "", piece: 0, done: false };
}

function goOnWithCode(open, line) {
  const { mark, length, indent } = open.fence;
  const bare = line.trim();
  const closes = bare.length >= length && bare === mark.repeat(bare.length) && indentOf(line) < 4;
  if (closes) return [{ ...open, done: true }, null];
  const text = line.slice(Math.min(indent, indentOf(line)));
  if (open.source.length + text.length > pieceLimit) {
    return [open, { ...open, source: text, piece: open.piece + 1 }];
  }
  return [{ ...open, source: open.source + text }];
}

// Lists

function matchItem(bare) {
  return rulePattern.test(bare) ? null : bare.match(itemPattern);
}

function listItem([, outer, mark, gap, text], line) {
  const width = outer.length + mark.length;
  const indent = width + (text && gap.length <= 4 ? gap.length : 1);
  const block = { kind: "item", source: line, marker: mark.at(-1), joins: false };
  return { ...block, outer: outer.length, indent, shift: 0, blank: false };
}

function goOnWithItem(open, line) {
  if (!line.trim()) return [{ ...open, source: open.source + line, blank: true }];
  const inside = withinItem(open, line);
  if (inside) return [inside];
  if (!open.blank && !startsBlock(line)) return [{ ...open, source: open.source + line }];
  const [next, ...more] = begin(line);
  const joins = next?.kind === "item" && next.marker === open.marker;
  return [open, joins ? { ...next, joins } : next, ...more];
}

/**
 * The item with an indented `line` of its own, else null. Models often indent by two what belongs
 * to "1. …", which Markdown wants indented by three: such lines are moved to where they belong.
 */
function withinItem(open, line) {
  const indent = indentOf(line);
  const shift = indent >= open.outer + 2 ? Math.max(open.shift, open.indent - indent) : 0;
  if (indent + shift < open.indent) return null;
  const source = open.source + " ".repeat(shift) + line;
  return { ...open, source, shift: Math.max(shift, open.shift), blank: false };
}

// Tables

function goOnWithTable(open, line) {
  if (!line.trim()) return [open, null];
  if (startsBlock(line)) return [open, ...begin(line)];
  return [open, { ...open, source: line, joins: true }];
}

/** The blocks, if `line` makes a table of the last line of `open`; else null. */
function tableFrom(open, line) {
  if (!delimiterPattern.test(line.trimEnd())) return null;
  const at = open.source.lastIndexOf("\n", open.source.length - 2) + 1;
  const head = open.source.slice(at) + line.trimEnd() + "\n";
  if (!isTable(head)) return null;
  const row = { kind: "row", head, source: "", joins: false };
  return at ? [{ ...open, source: open.source.slice(0, at) }, row] : [row];
}

// Paragraphs, quotes and the like

function goOnWithText(open, line) {
  if (!line.trim()) {
    return open.indented ? [{ ...open, source: open.source + line }] : [open, null];
  }
  if (open.closer) return followFormula(open, line);
  if (open.indented) {
    return indentOf(line) >= 4 ? [{ ...open, source: open.source + line }] : [open, ...begin(line)];
  }
  const table = tableFrom(open, line);
  if (table) return table;
  if (interrupts(open, line)) return [open, ...begin(line)];
  return followFormula(open, line);
}

function interrupts(open, line) {
  const bare = line.trimEnd();
  if (fencePattern.test(bare) || headingPattern.test(bare)) return true;
  const quoted = quotePattern.test(open.source);
  if (quotePattern.test(bare)) return !quoted;
  const item = matchItem(bare);
  return item !== null && (quoted || interruptsParagraph(item));
}

/** Only an item with text, and of a numbered list only the first, ends a paragraph. */
function interruptsParagraph([, , mark, , text]) {
  return Boolean(text) && (mark.length === 1 || /^1[.)]$/.test(mark));
}

/** Within $$…$$ and \[…\] no line begins a list or anything else. */
function followFormula(open, line) {
  const source = open.source + line;
  if (open.closer) return [{ ...open, source, closer: line.includes(open.closer) ? null : open.closer }];
  const formula = line.match(formulaPattern);
  if (!formula) return [{ ...open, source }];
  const closer = formula[1] === "$$" ? "$$" : "\\]";
  return [{ ...open, source, closer: formula[2].includes(closer) ? null : closer }];
}

function startsBlock(line) {
  const bare = line.trimEnd();
  return [fencePattern, headingPattern, rulePattern, quotePattern, itemPattern].some((pattern) =>
    pattern.test(bare),
  );
}

/** The columns before the first character that is not white; a tab goes to the next fourth. */
function indentOf(line) {
  let columns = 0;
  for (const character of line) {
    if (character === " ") columns += 1;
    else if (character === "\t") columns += 4 - (columns % 4);
    else break;
  }
  return columns;
}

function isHighSurrogate(unit) {
  return unit >= 0xd800 && unit < 0xdc00;
}
