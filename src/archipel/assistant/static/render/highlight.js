// Colours for code. highlight.js and a language's grammar come when a message has such code.

const sizeLimit = 50_000; // characters: longer code stays plain

const names = {
  bash: ["sh", "zsh", "console"],
  c: ["h"],
  cpp: ["c++", "cc", "hpp"],
  csharp: ["c#", "cs"],
  css: [],
  dart: [],
  diff: ["patch"],
  dockerfile: ["docker"],
  go: ["golang"],
  haskell: ["hs"],
  ini: ["toml", "conf"],
  java: [],
  javascript: ["js", "jsx", "mjs", "node"],
  json: ["jsonc", "json5", "jsonl"],
  julia: ["jl"],
  kotlin: ["kt"],
  latex: ["tex"],
  lua: [],
  makefile: ["make"],
  markdown: ["md"],
  matlab: ["octave"],
  perl: ["pl"],
  php: [],
  powershell: ["ps1", "pwsh"],
  python: ["py", "python3", "pyi"],
  r: [],
  ruby: ["rb"],
  rust: ["rs"],
  scala: [],
  shell: ["shell-session"],
  sql: ["postgresql", "sqlite", "mysql"],
  swift: [],
  typescript: ["ts", "tsx"],
  xml: ["html", "svg", "vue"],
  yaml: ["yml"],
};
const within = { xml: ["javascript", "css"], shell: ["bash"] }; // languages inside languages

const modules = new Map(
  Object.entries(names).flatMap(([name, others]) => [name, ...others].map((alias) => [alias, name])),
);

/** `text` coloured as `language`, in spans; null where the language is unknown. */
export async function highlight(text, language) {
  const name = modules.get(language);
  if (!name || text.length > sizeLimit) return null;
  const { default: engine } = await import("../vendor/highlight/core.min.js");
  for (const each of [...(within[name] ?? []), name]) await register(engine, each);
  const { _emitter: tree } = engine.highlight(text, { language: name, ignoreIllegals: true });
  const made = document.createDocumentFragment();
  made.append(...tree.root.children.map(draw));
  return made;
}

async function register(engine, name) {
  if (engine.getLanguage(name)) return;
  const grammar = await import(`../vendor/highlight/languages/${name}.min.js`);
  engine.registerLanguage(name, grammar.default);
}

/** A node of the engine's tree: a text, or a scope such as "title.function" with its children. */
function draw(node) {
  if (typeof node === "string") return node;
  const span = document.createElement("span");
  const [scope] = (node.scope ?? "").split(/[.:]/);
  if (scope) span.className = `hl-${scope}`;
  span.append(...node.children.map(draw));
  return span;
}
