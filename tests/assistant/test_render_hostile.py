"""Hostile messages in Chromium: nothing runs, nothing is fetched, nothing hangs."""

import pytest
from playwright.sync_api import expect

from tests.assistant.stage import Stage, _open_stage, stage

__all__ = ["_open_stage", "stage"]

VECTORS = [
    "<script>window.hit=1</script>",
    "<img src=x onerror=window.hit=1>",
    "<svg onload=window.hit=1>",
    "<svg><script>window.hit=1</script></svg>",
    "<iframe src=javascript:window.hit=1></iframe>",
    "<iframe srcdoc='<script>parent.hit=1</script>'></iframe>",
    "<object data=javascript:window.hit=1></object>",
    "<embed src=data:text/html,x>",
    "<form action=/api/chat><button formaction=javascript:hit=1>x</button></form>",
    "<base href=https://thief.example/>",
    "<link rel=stylesheet href=https://thief.example/x.css>",
    "<style>@import 'https://thief.example/x.css'</style>",
    "<meta http-equiv=refresh content='0;url=https://thief.example/'>",
    "<body onload=window.hit=1>",
    "<details open ontoggle=window.hit=1>x</details>",
    "<video><source onerror=window.hit=1></video>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.hit=1>",
    "<noscript><p title='</noscript><img src=x onerror=window.hit=1>'>",
    "<svg></p><style><a id='</style><img src=x onerror=window.hit=1>'>",
    "<template><img src=x onerror=window.hit=1></template>",
    "<a href=javascript:window.hit=1>x</a>",
    "<!--<img src='--><img src=x onerror=window.hit=1>'>",
    "<![CDATA[<img src=x onerror=window.hit=1>]]>",
    "<?xml version='1.0'?><x onclick=window.hit=1>",
    "<input autofocus onfocus=window.hit=1>",
    "<p style='background:url(https://thief.example/x)'>x</p>",
    "[x](javascript:window.hit=1)",
    "[x](JaVaScRiPt:window.hit=1)",
    "[x](java&#115;cript:window.hit=1)",
    "[x](java&Tab;script:window.hit=1)",
    "[x](&#x6A;avascript:window.hit=1)",
    "[x](<java\tscript:window.hit=1>)",
    "[x]( javascript:window.hit=1)",
    "[x](\x01javascript:window.hit=1)",
    "[x](vbscript:window.hit=1)",
    "[x](data:text/html,<script>window.hit=1</script>)",
    "[x](data:text/html;base64,PHNjcmlwdD5oaXQ9MTwvc2NyaXB0Pg==)",
    "[x](blob:https://thief.example/1)",
    "[x](file:///etc/passwd)",
    "[x](//thief.example/x)",
    "[x](/api/models)",
    "[x](https://user:password@thief.example/)",
    "<javascript:window.hit=1>",
    "<data:text/html,x>",
    "[x]: javascript:window.hit=1\n\n[x] [y][x]",
    "![x](javascript:window.hit=1)",
    "![x](data:image/svg+xml,<svg/onload=window.hit=1>)",
    "![x](https://thief.example/x.png)",
    "![x](//thief.example/x.png)",
    "![x](/api/models)",
    "![x](https://thief.example/x.png 'a\" onerror=\"window.hit=1')",
    "[x](https://a.example 'a\" onclick=\"window.hit=1')",
    "[![x](https://thief.example/x.png)](javascript:window.hit=1)",
    '[a](https://b.example/"onmouseover="window.hit=1)',
    "`<img src=x onerror=window.hit=1>`",
    "```<img src=x onerror=window.hit=1>\n</code><script>window.hit=1</script>\n```",
    "```html\n</code></pre><img src=x onerror=window.hit=1><script>hit=1</script>\n```",
    "````\n```\n<script>window.hit=1</script>\n````",
    "| <img src=x onerror=window.hit=1> |\n|---|\n| <script>window.hit=1</script> |",
    "| a |\n|---|\n| <br onclick=window.hit=1> <br/> |",
    "- [x] <img src=x onerror=window.hit=1>",
    "1. <svg onload=window.hit=1>\n\n   > <script>window.hit=1</script>",
    "# <img src=x onerror=window.hit=1>",
    "&lt;img src=x onerror=window.hit=1&gt; &#60;script&#62;window.hit=1&#60;/script&#62;",
    "$\\href{javascript:window.hit=1}{x}$",
    "$\\url{javascript:window.hit=1}$",
    "$\\htmlData{x=1}{y} \\htmlStyle{color:red}{z} \\htmlClass{code}{c} \\htmlId{log}{i}$",
    "$\\includegraphics{https://thief.example/x.png}$",
    "$<img src=x onerror=window.hit=1>$ $\\text{<script>window.hit=1</script>}$",
    "$\\def\\a{\\a\\a}\\a$ $\\rule{1e9em}{1e9em}$",
    "***<a *b* href=javascript:window.hit=1>***",
    "<img src=`x` onerror=`window.hit=1`>",
    "\\<script>window.hit=1</script>",
    "<scr\0ipt>window.hit=1</script>",
    "‮<script>window.hit=1</script>",
]

TOO_MUCH = {
    "one line of 1 MB": "a" * 1_000_000,
    "1 MB of words": "word " * 200_000,
    "1 MB of code in one line": "```js\n" + "x=1;" * 250_000,
    "many lines of code": "```js\n" + "let x = 1;\n" * 50_000 + "```",
    "brackets": "[" * 60_000,
    "closing brackets": "[a](" * 20_000,
    "links in links": "[" * 5_000 + "a" + "](b)" * 5_000,
    "pictures": "![" * 30_000,
    "stars": "*a " * 30_000,
    "two stars": "**a " * 30_000,
    "lines": "_a " * 30_000,
    "stars that nest": "*" * 30_000 + "a" + "*" * 30_000,
    "stars of two kinds": "*a **b " * 15_000,
    "waves": "~~a ~b " * 15_000,
    "backticks": "".join("`" * (1 + index % 300) + "a" for index in range(600)),
    "open backticks": "`a" * 30_000,
    "tags": "<a " * 30_000,
    "comments": "<!--" * 20_000,
    "entities": "&eacute" * 20_000,
    "dollars": "$a" * 30_000,
    "open formulas": "\\(a" * 20_000 + "\\[b" * 20_000 + "$$c" * 20_000,
    "quotes in quotes": ">" * 20_000 + "a",
    "quotes with lazy lines": "> > > > a\nb\n" * 3_000,
    "lists in lists": "- " * 20_000 + "a",
    "numbers in numbers": "1. " * 20_000 + "a",
    "lists that step in": "".join(" " * (2 * index) + "- a\n" for index in range(300)),
    "a list of 20,000": "- item\n" * 20_000,
    "a table of 5,000 rows": "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 5_000,
    "a table of 2,000 columns": "|" + "a|" * 2000 + "\n|" + "-|" * 2000 + "\n|" + "1|" * 2000,
    "headings": "#" * 60_000 + " a",
    "rules": "- " * 30_000 + "\n" + "*" * 30_000,
    "underlines": "a\n" * 20_000 + "=" * 10_000,
    "blank lines": "\n" * 300_000,
    "backslashes": "\\" * 60_000,
    "addresses": "https://a." * 10_000 + " www." * 10_000 + "a@" * 20_000,
    "definitions": "[a]: b\n" * 20_000,
}


def test_nothing_runs_and_nothing_is_fetched(stage: Stage) -> None:
    assert len(VECTORS) >= 40
    offences = stage.run(
        """async (vectors) => {
          const tags = new Set(("p h3 h4 h5 h6 strong em del code br a ul ol li blockquote hr input"
            + " div table thead tbody tr th td figure figcaption pre span button").split(" "));
          const attributes = new Set(("class href rel target start type disabled checked role scope"
            + " tabindex aria-label data-language").split(" "));
          const offences = [];
          for (const vector of vectors) {
            for (const pieces of [[vector], [...vector]]) {
              const root = stage.grow(pieces);
              await new Promise((done) => setTimeout(done, pieces.length > 1 ? 5 : 20));
              for (const node of root.querySelectorAll("*")) {
                if (node.closest(".katex")) {
                  const risky = "script, a, img, [href], [src], [id], [data-x], .code";
                  if (node.matches(risky)) offences.push([vector, node.outerHTML]);
                  continue;
                }
                if (!tags.has(node.localName)) offences.push([vector, node.outerHTML]);
                for (const { name, value } of node.attributes) {
                  if (!attributes.has(name)) offences.push([vector, `${name}=${value}`]);
                  if (name === "href" && !/^(https?|mailto):/.test(value)) {
                    offences.push([vector, value]);
                  }
                }
              }
              if (window.hit) offences.push([vector, "ran"]);
              window.hit = undefined;
            }
          }
          return offences;
        }""",
        VECTORS,
    )
    assert offences == []


@pytest.mark.parametrize("vector", [each for each in VECTORS if each.startswith("<")])
def test_html_stays_text(stage: Stage, vector: str) -> None:
    shown = stage.draw(vector).evaluate("root => root.textContent")
    squeezed = "".join(vector.replace("`", "").split())
    assert "".join(shown.replace("`", "").split()) == squeezed


@pytest.mark.parametrize("name", TOO_MUCH)
def test_too_much_of_anything_is_drawn_all_the_same(stage: Stage, name: str) -> None:
    """What grows with the square of its length would take minutes; a busy machine may take 10 s."""
    text = TOO_MUCH[name]
    seconds, length = stage.run(
        """(text) => {
          const began = performance.now();
          const root = stage.make();
          const message = new stage.GrowingMarkdown(root);
          for (let at = 0; at < text.length; at += text.length / 10) {
            message.add(text.slice(Math.round(at), Math.round(at + text.length / 10)));
            message.draw();
          }
          message.end();
          const { length } = root.textContent;
          root.remove();
          return [(performance.now() - began) / 1000, length];
        }""",
        text,
    )
    assert seconds < 10
    assert length > 0 or not text.strip("- *\n")


def test_a_selection_of_code_copies_no_markup(stage: Stage) -> None:
    body = stage.draw("```html\n<script>window.hit=1</script>\n```")
    expect(body.locator(".hl-name").first).to_be_visible()
    body.get_by_role("button", name="Copy").click()
    expect(body.get_by_role("button", name="Copied")).to_be_visible()
    copied = stage.run("() => navigator.clipboard.readText()")
    assert copied == "<script>window.hit=1</script>"
