// Markdown into tokens: marked, with formulas, without HTML, and with bounds on its work.

import { Lexer, Marked } from "../vendor/marked/marked.esm.js";

const nestingLimit = 16; // quotes in lists in quotes…, bold in italics in bold…
const inlineLimit = 4096; // characters between which emphasis, links and the like are looked for
const formulaLimit = 4000; // characters

// $…$ is no formula where it looks like money: "$5 and $6", "US$5", "$HOME/$USER".
const dollars = /^\$(?![\s$])((?:\\[^\n]|[^\n$`\\])+?)(?<!\s)\$(?![\p{L}\p{N}$])/u;
const prose = /^\d[^\\^_={}]*\s\p{L}{2}/u;
const displayDollars = /^\$\$((?:(?!\n\s*\n|\$\$)[^])+)\$\$/;
const parentheses = /^\\\(((?:(?!\n\s*\n|\\\))[^])+)\\\)/;
const brackets = /^\\\[((?:(?!\n\s*\n|\\\])[^])+)\\\]/;

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
    const display = start.match(displayDollars) ?? start.match(brackets);
    if (display) return formula(display, true);
    const match = start.match(parentheses) ?? dollarFormula(start, tokens);
    return match ? formula(match, false) : undefined;
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
    const match = start.match(displayDollars) ?? start.match(brackets);
    if (!match) return undefined;
    const [end] = start.slice(match[0].length).match(/^[ \t]*(?:\n|$)/) ?? [];
    if (end === undefined) return undefined;
    return { ...formula(match, true), raw: indent + match[0] + end, type: "formulaBlock" };
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

function formula([raw, source], display) {
  return { type: "formula", raw, source: source.trim(), display };
}

function dollarFormula(start, tokens) {
  if (/[\p{L}\p{N}$]$/u.test(tokens.at(-1)?.raw ?? "")) return null;
  const match = start.match(dollars);
  return match && !prose.test(match[1]) ? match : null;
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
