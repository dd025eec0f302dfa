"""A message's Markdown in Chromium: its elements, code, formulas, and what growing costs."""

import random
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.assistant.stage import Stage, _open_stage, stage

__all__ = ["_open_stage", "stage"]

RICH = """# Tide tables

A paragraph with **bold**, *italic*, ~~gone~~, `x < y`, [a link](https://example.org/a?b=1),
a second line & an address: https://example.org/path.

## Why

> The sea *rises*
> and falls.
>
> 1. twice
> 2. a day

- high
- low
  - spring
  - neap

  a paragraph of the item
- [x] measured
- [ ] forecast

3. three
4. four
   ```python
   def tide(hour):
       return 3.2  # metres
   ```
5. five

| Port | Range (m) |
|:-----|----------:|
| Saint-Malo | 13.5 |
| Brest \\| Ouessant | `7.6` |
Toulon | 0.4

---

Height is $h(t) = h_0 + a\\cos(\\omega t)$, that is

$$
\\begin{aligned}
h &= h_0 \\\\
+ a
\\end{aligned}
$$

and \\(a_1 * b_2\\), not $5 or $6.

```js
const range = (high, low) => high - low;
```

    indented

    code

Last &eacute; &lt;b&gt; <b>line</b>.
"""

OTHERS = [
    "",
    "\n\n\n",
    "```\nnever closed\n\n- x\n# y",
    "~~~text\n```\nin tildes\n```\n~~~\nafter",
    "1. one\n  - short indent\n  - again\n2. two\n\n  more of two\n\nout",
    "- a\n* b\n+ c\n\n- d\n\n\n- e\nlazy\n\nend",
    "| a | b |\n|---|---|\n| <div> | 2 |\n<div>\n| 3 | 4 |\n\n|no|table\n|--|",
    "text\n| a |\n|---|\n| 1 |\n- item\n> quote\nlazy\n> again\n1986. year",
    "$$ open\n\n$$\nx\n\ny\n$$\n\\[ z\n- 1 \\] tail\n\\( never",
    "Title\n===\nOther\n---\n***\n# H #\n####### seven\n#no",
    "a\r\nb\r\n\r\n- c\r\n- d\r\n",
    "```py\n" + "x = 1\n" * 1500 + "```\ndone",
    "mot " * 4000 + "\n\n" + "é" * 9000,
    "- " * 40 + "deep\n" + "> " * 40 + "deep\n",
    "😀" * 6000,
]


def test_every_element_of_markdown(stage: Stage) -> None:
    body = stage.draw(RICH)
    expect(body.locator("h3")).to_have_text("Tide tables")
    expect(body.locator("h4")).to_have_text("Why")
    expect(body.locator("p > strong")).to_have_text("bold")
    expect(body.locator(":scope > p > em")).to_have_text("italic")
    expect(body.locator("p > del")).to_have_text("gone")
    expect(body.locator("p > code")).to_have_text("x < y")
    expect(body.locator(":scope > p > br")).to_have_count(1)
    expect(body.locator("blockquote > ol > li")).to_have_text(["twice", "a day"])
    expect(body.locator("blockquote em")).to_have_text("rises")
    expect(body.locator(":scope > ul > li")).to_have_count(4)
    expect(body.locator("li > ul > li")).to_have_text(["spring", "neap"])
    expect(body.locator("li > p").last).to_have_text("a paragraph of the item")
    expect(body.get_by_role("checkbox", name="Done")).to_be_checked()
    expect(body.get_by_role("checkbox", name="To do")).not_to_be_checked()
    expect(body.locator(":scope > ol")).to_have_attribute("start", "3")
    expect(body.locator(":scope > ol > li")).to_have_count(3)
    expect(body.locator("hr")).to_have_count(1)
    expect(body.locator("pre").last).to_have_text("indented\n\ncode")
    expect(body.locator("p").last).to_have_text("Last é <b> <b>line</b>.")
    expect(body.locator("b")).to_have_count(0)


def test_links_lead_out_safely(stage: Stage) -> None:
    links = stage.draw(
        "[a](https://example.org/a) https://example.org/b. <c@example.org> www.example.org\n\n"
        "![a tide](https://pictures.example.net/t.png) ![](https://pictures.example.net/t.png)\n\n"
        "[https://bank.example](https://thief.example/x)"
    ).locator("a")
    assert links.evaluate_all("all => all.map(a => [a.textContent, a.getAttribute('href')])") == [
        ["a", "https://example.org/a"],
        ["https://example.org/b", "https://example.org/b"],
        ["c@example.org", "mailto:c@example.org"],
        ["www.example.org", "http://www.example.org/"],
        ["a tide (pictures.example.net)", "https://pictures.example.net/t.png"],
        ["pictures.example.net", "https://pictures.example.net/t.png"],
        ["https://thief.example/x", "https://thief.example/x"],
    ]
    for link in links.all():
        expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
        expect(link).to_have_attribute("target", "_blank")


def test_a_table_scrolls_in_a_box_of_its_own(stage: Stage) -> None:
    body = stage.draw(RICH)
    box = body.get_by_role("group", name="Table")
    expect(box.locator("th[scope=col]")).to_have_text(["Port", "Range (m)"])
    expect(box.locator("tbody tr")).to_have_count(3)
    expect(box.locator("td").nth(2)).to_have_text("Brest | Ouessant")
    expect(box.locator("td.right")).to_have_text(["13.5", "7.6", "0.4"])
    wide = stage.draw("|" + "a wide column |" * 60 + "\n|" + "-|" * 60 + "\n|" + "cell |" * 60)
    box = wide.get_by_role("group", name="Table")
    assert box.evaluate("box => box.scrollWidth > 2 * box.clientWidth")
    assert stage.run("() => document.documentElement.scrollWidth <= innerWidth")
    cells = stage.draw("| a |\n|---|\n| one<br>two |").locator("td")
    expect(cells.locator("br")).to_have_count(1)


def test_only_what_scrolls_is_a_stop_of_the_tab_key(stage: Stage) -> None:
    wide = "|" + "a wide column |" * 60 + "\n|" + "-|" * 60
    code, formula = "```\n" + "long " * 200 + "\n```", "$$" + "a + " * 200 + "b$$"
    body = stage.draw("\n\n".join([wide, code, formula]))
    expect(body.locator("[tabindex='0']")).to_have_count(3)
    body = stage.draw(RICH)
    expect(body.locator(".katex-display")).to_be_visible()
    expect(body.locator("[tabindex]")).to_have_count(0)


def test_headings_never_skip_a_level(stage: Stage) -> None:
    body = stage.draw("### a\n\n##### b\n\n# c\n\n## d\n\n#### e\n\n### f")
    tags = body.locator(":scope > *").evaluate_all("all => all.map(each => each.localName)")
    assert tags == ["h3", "h4", "h3", "h4", "h5", "h5"]


def test_code_is_coloured_when_it_is_complete(stage: Stage) -> None:
    stage.run(
        """() => {
          stage.growing = new stage.GrowingMarkdown(stage.make());
          stage.growing.add("```rust\\nlet tide = 3;\\nfn main() {}\\n");
          stage.growing.draw();
        }"""
    )
    figure = stage.root.locator("figure.code")
    expect(figure.locator("figcaption span")).to_have_text("rust")
    kept = figure.element_handle()
    assert kept is not None
    expect(figure.locator("pre")).to_have_text("let tide = 3;\nfn main() {}")
    expect(figure.locator(".hl-keyword")).to_have_count(0)
    stage.run("() => { stage.growing.add('struct A;\\n```\\n'); stage.growing.draw(); }")
    expect(figure.locator(".hl-keyword")).to_have_text(["let", "fn", "struct"])
    expect(figure.locator("pre")).to_have_text("let tide = 3;\nfn main() {}\nstruct A;")
    assert kept.evaluate("node => node.isConnected"), "the figure was not drawn again"


@pytest.mark.parametrize(
    ("language", "code", "scope"),
    [
        ("html", "<script>let a = 1</script>", ".hl-keyword"),
        ("TS", "interface A { b: string }", ".hl-keyword"),
        ("c++", "int main() { return 0; }", ".hl-keyword"),
        ("toml", "[a]\nb = 1", ".hl-section"),
        ("console", "$ echo 'a'", ".hl-string"),
    ],
)
def test_languages_by_their_usual_names(stage: Stage, language: str, code: str, scope: str) -> None:
    body = stage.draw(f"```{language} title=x\n{code}\n```")
    expect(body.locator(scope).first).to_be_visible()
    expect(body.locator("figcaption span")).to_have_text(language)


def test_every_grammar_that_is_vendored_can_be_asked_for(stage: Stage) -> None:
    script = (Path(__file__).parents[2] / "src/archipel/assistant/static/vendor/highlight").glob(
        "languages/*.min.js"
    )
    names = [path.name.removesuffix(".min.js") for path in script]
    assert len(names) >= 25
    refused = stage.run(
        """async (names) => {
          const { highlight } = await import("/render/highlight.js");
          const made = await Promise.all(names.map((name) => highlight("a = 1;", name)));
          return names.filter((_, index) => made[index]?.textContent !== "a = 1;");
        }""",
        names,
    )
    assert refused == []


def test_code_of_no_known_language_stays_plain(stage: Stage) -> None:
    body = stage.draw("```brainstorm\na < b\n```\n\n```\nplain\n```")
    expect(body.locator("pre")).to_have_text(["a < b", "plain"])
    expect(body.locator("figcaption span")).to_have_text(["brainstorm", ""])
    expect(body.locator("pre [class^=hl-]")).to_have_count(0)


def test_code_is_copied_as_it_was_written(stage: Stage) -> None:
    body = stage.draw("```python\nif a < b:\n\n    print('é')\n```")
    expect(body.locator(".hl-keyword")).to_have_text("if")
    body.get_by_role("button", name="Copy").click()
    expect(body.get_by_role("button", name="Copied")).to_be_visible()
    assert stage.run("() => navigator.clipboard.readText()") == "if a < b:\n\n    print('é')"
    expect(body.get_by_role("button", name="Copy", exact=True)).to_be_visible()


def test_code_is_copied_where_the_page_has_no_clipboard(stage: Stage) -> None:
    body = stage.draw("```\nover plain HTTP\n```")
    stage.run(
        """() => Object.defineProperty(
          navigator, "clipboard", { value: undefined, configurable: true })"""
    )
    body.get_by_role("button", name="Copy").click()
    expect(body.get_by_role("button", name="Copied")).to_be_visible()
    stage.run("() => delete navigator.clipboard")
    assert "over plain HTTP" in stage.run("() => navigator.clipboard.readText()")


def test_formulas_are_set_and_read_aloud(stage: Stage) -> None:
    body = stage.draw(RICH)
    expect(body.locator(".formula .katex-html")).to_have_count(3)
    expect(body.locator(".formula.display .katex-display")).to_have_count(1)
    expect(body.locator("math").first).to_contain_text("h(t)=")
    expect(body.locator("li .formula, code .formula")).to_have_count(0)
    expect(body).to_contain_text("not $5 or $6.")
    tall = stage.draw("\\[\\sqrt{\\frac{a}{\\vec{b}}}\\] and $\\fbox{x}$")
    expect(tall.locator("svg")).to_have_count(2)
    assert tall.locator(".katex-html [style]").count() > 0, "KaTeX may set its styles"
    font = stage.run(
        "() => document.fonts.ready.then(() => document.fonts.check('1em KaTeX_Main'))"
    )
    assert font


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        ("$x$ and $y_1$, $2x+1$", ["x", "y_1", "2x+1"]),
        ("\\(a\\) \\[b\\] $$c$$", ["a", "b", "c"]),
        ("from $5 to $6, US$5, 5$ and 6$, $5-$7", []),
        ("$5 million and then 6$", []),
        ("$HOME/$USER `$x$` \\$x\\$ $ x $", []),
        ("*see $a*b$ here*", ["a*b"]),
        ("| a |\n|---|\n| $x_1$ |", ["x_1"]),
        ("1. so\n   $$\n   x\n   + y\n   $$\n2. then", ["x\n+ y"]),
        ("```\n$x$\n```", []),
    ],
)
def test_what_is_a_formula(stage: Stage, text: str, formulas: list[str]) -> None:
    body = stage.draw(text)
    expect(body.locator("annotation")).to_have_text(formulas)


@pytest.mark.parametrize(
    "formula", ["\\frac{a", "\\nosuchthing", "\\href{javascript:x}{y", "{" * 3000]
)
def test_a_formula_that_fails_stays_as_its_source(stage: Stage, formula: str) -> None:
    body = stage.draw(f"Before $$ {formula} $$ after, $x$")
    expect(body.locator(".katex")).to_have_count(1)
    expect(body.locator(".formula").first).to_have_text(f"$$ {formula} $$")


@pytest.mark.parametrize("text", [RICH, *OTHERS], ids=range(1 + len(OTHERS)))
def test_a_message_that_arrived_in_pieces_looks_like_one_drawn_at_once(
    stage: Stage, text: str
) -> None:
    chance = random.Random(len(text))
    cuts = [
        sorted(chance.sample(range(len(text) + 1), min(count, len(text))))
        for count in (0, 1, 5, 40, 200)
    ]
    chunkings = [
        [text[start:end] for start, end in zip([0, *cut], [*cut, len(text)], strict=True)]
        for cut in cuts
    ]
    if len(text) < 3000:
        chunkings.append(list(text))
    different = stage.run(
        """async ([text, chunkings]) => {
          const once = stage.set(text);
          await new Promise((done) => setTimeout(done, 200)); // for colours and formulas
          const whole = once.innerHTML;
          for (const pieces of chunkings) {
            const root = stage.grow(pieces);
            for (let waited = 0; waited < 30 && root.innerHTML !== whole; waited += 1) {
              await new Promise(requestAnimationFrame);
            }
            if (root.innerHTML !== whole) return [pieces, root.innerHTML, whole];
          }
          return null;
        }""",
        [text, chunkings],
    )
    assert different is None


def test_a_token_costs_the_same_in_a_long_message(stage: Stage) -> None:
    """Counted, not timed: what marked reads and what the page changes for each of 40 tokens."""
    block = "## Part\n\nSome *text*.\n\n- a\n- b\n\n| c |\n|---|\n| d |\n\n```py\ne = 1\n```\n\n"
    costs = stage.run(
        """async ([block, tails]) => {
          const { Lexer } = await import("/vendor/marked/marked.esm.js");
          const { lex } = Lexer.prototype;
          let read = 0;
          Lexer.prototype.lex = function (source) {
            read += source.length;
            return lex.call(this, source);
          };
          const cost = async (blocks, tail) => {
            const root = stage.make();
            const message = new stage.GrowingMarkdown(root);
            message.add(block.repeat(blocks) + tail.repeat(blocks));
            message.draw();
            const plain = () => [...root.querySelectorAll("figure")]
              .some((figure) => !figure.querySelector(".hl-number"));
            while (plain()) await new Promise(requestAnimationFrame);
            let changed = 0;
            const count = (records) => records.forEach((each) => {
              changed += each.addedNodes.length + each.removedNodes.length;
            });
            const observer = new MutationObserver(count);
            observer.observe(root, { childList: true, subtree: true, characterData: true });
            read = 0;
            for (let token = 0; token < 40; token += 1) {
              message.add(token % 8 ? "word " : tail);
              message.draw();
            }
            count(observer.takeRecords());
            observer.disconnect();
            return { read, changed };
          };
          const made = [];
          for (const tail of tails) made.push([await cost(4, tail), await cost(100, tail)]);
          Lexer.prototype.lex = lex;
          return made;
        }""",
        [block, ["Next.\n\n", "- item\n", "1. item\n", "| a | b |\n|---|---|\n", "> q\n\n"]],
    )
    for short, long in costs:
        assert long["read"] <= 1.2 * short["read"]
        assert long["changed"] <= 1.2 * short["changed"]


def test_what_is_complete_is_not_touched_again(stage: Stage) -> None:
    texts = ["First.\n\n- a\n- b\n\n", "|x|\n|-|\n|1|\n|2", "|\n\n```\ncode\n``", "`\n\nEnd"]
    kept = stage.run(
        """(texts) => {
          const root = stage.make();
          const message = new stage.GrowingMarkdown(root);
          const seen = [];
          for (const text of texts) {
            message.add(text);
            message.draw();
            seen.push(...root.querySelectorAll("p, li:first-child, tr:first-child, figure"));
          }
          message.end();
          return [seen.length, seen.filter((node) => !node.isConnected).length];
        }""",
        texts,
    )
    assert kept == [17, 0]
