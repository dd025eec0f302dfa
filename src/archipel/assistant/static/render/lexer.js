// Markdown into tokens: marked, with formulas, without HTML, and with bounds on its work.

import { Lexer, Marked } from "../vendor/marked/marked.esm.js";

const nestingLimit = 16; // quotes in lists in quotes…, bold in italics in bold…
const inlineLimit = 4096; // characters between which emphasis, links and the like are looked for
const formulaLimit = 4000; // characters

// $…$ is no formula where it looks like money: "$5 and $6", "US$5", "$HOME/$USER".
const dollars = /^\$(?![\s$])((?:\\[^\n]|[^\n$`\\])+?)(?<!\s)\$(?![\p{L}\p{N}$])/u;
const prose = /^\d[^\\^_={}]*\s\p{L}{2}/u;
const pairs = [["$$", "$$"], ["\\[", "\\]"], ["\\(", "\\)"]]; // the last is not displayed

const inlineFormula = {
  name: "formula",
  level: "inline",
  start(source) {
    const index = source.search(/\$|\\[([]/);
    return index < 0 ? undefined : index;
  },
  tokenizer(source, tokens) {
    if (source[0] !== "$" && source[0] !== "\\") return undefined;
    const start = source.slice(0, formulaLimit);
    return pairFormula(start) ?? dollarFormula(start, tokens);
  },
};

const blockFormula = {
  name: "formulaBlock",
  level: "block",
  start(source) {
    const line = source.search(/\n {0,3}(?:\$\$|\\\[)/);
    return line < 0 ? undefined : line + 1;
  },
  tokenizer(source) {
    const [indent] = source.match(/^ {0,3}/);
    const start = source.slice(indent.length, formulaLimit);
    const made = pairFormula(start);
    if (!made?.display) return undefined;
    const [end] = start.slice(made.raw.length).match(/^[ \t]*(?:\n|$)/) ?? [];
    if (end === undefined) return undefined;
    return { ...made, raw: indent + made.raw + end, type: "formulaBlock" };
  },
};

const options = new Marked({
  gfm: true,
  breaks: true,
  extensions: [inlineFormula, blockFormula],
  hooks: {
    // A star or a line within $…$ neither begins nor ends emphasis around it.
    emStrongMask: (masked) =>
      masked.replace(/\$[^\s$][^\n$]*\$/g, (match) => `[${"a".repeat(match.length - 2)}]`),
  },
  tokenizer: {
    // HTML stays text, and so do definitions of link labels: a later one would change blocks that
    // are drawn. Only <br> means something: a table's cell has no other way to begin a line.
    html: () => undefined,
    def: () => undefined,
    tag(source) {
      const [raw] = source.match(/^<br *\/?>/i) ?? [];
      return raw && { type: "br", raw };
    },
  },
}).defaults;

class BoundedLexer extends Lexer {
  #nesting = 0;

  blockTokens(source, tokens = [], clipped = false) {
    return this.#nested(() => {
      if (this.#nesting <= nestingLimit) return super.blockTokens(source, tokens, clipped);
      this.state.top = true;
      tokens.push({ type: "paragraph", raw: source, text: source, tokens: [plain(source)] });
      return tokens;
    });
  }

  inlineTokens(source, tokens = []) {
    return this.#nested(() => {
      if (this.#nesting > nestingLimit) tokens.push(plain(source));
      else for (const piece of pieces(source)) super.inlineTokens(piece, tokens);
      return tokens;
    });
  }

  #nested(work) {
    this.#nesting += 1;
    try {
      return work();
    } finally {
      this.#nesting -= 1;
    }
  }
}

/** The tokens of a block. */
export function lex(source) {
  return new BoundedLexer(options).lex(source);
}

/** Whether the two lines `head` begin a table. */
export function isTable(head) {
  return lex(head)[0].type === "table";
}

function formula(raw, source, display) {
  return { type: "formula", raw, source: source.trim(), display };
}

/** $$…$$, \[…\] or \(…\), without a blank line in it. */
function pairFormula(start) {
  const pair = pairs.find(([opener]) => start.startsWith(opener));
  const end = pair ? start.indexOf(pair[1], 2) : -1;
  const source = start.slice(2, Math.max(end, 2));
  if (!source.trim() || /\n\s*\n/.test(source)) return undefined;
  return formula(start.slice(0, end + 2), source, pair !== pairs[2]);
}

function dollarFormula(start, tokens) {
  if (/[\p{L}\p{N}$]$/u.test(tokens.at(-1)?.raw ?? "")) return undefined;
  const match = start.match(dollars);
  return match && !prose.test(match[1]) ? formula(match[0], match[1], false) : undefined;
}

function plain(text) {
  return { type: "text", raw: text, text };
}

/** `source` in pieces of bounded length, cut after white space where there is some. */
function pieces(source) {
  const made = [];
  let start = 0;
  while (source.length - start > inlineLimit) {
    const space = source.lastIndexOf(" ", start + inlineLimit - 1);
    const end = space > start ? space + 1 : start + inlineLimit;
    made.push(source.slice(start, end));
    start = end;
  }
  return [...made, source.slice(start)];
}
