"""The page's files: words in every language, no word without a use, modules loaded at once."""

import json
import re
from importlib.resources import files
from pathlib import Path

STATIC = Path(str(files("archipel.assistant") / "static"))
OWN = [path for path in STATIC.rglob("*") if "vendor" not in path.relative_to(STATIC).parts]
CODE = {path: path.read_text() for path in OWN if path.suffix in (".js", ".html")}
LITERAL = re.compile(r"""["'`]([a-z]\w*)["'`]""")
PATTERN = re.compile(r"`(\w*)\$\{[^`]*`")
SPOKEN = re.compile(
    r"""\b(?:say|sayCount|announce|button|field)\(\s*"(\w+)"|\bword: "(\w+)\""""
    r"""|\bdata-(?:text|label|placeholder)="(\w+)\""""
)
IMPORT = re.compile(r'^(?:import|export)[^;]*?from "(.+?)";', re.MULTILINE | re.DOTALL)


def language_files() -> dict[Path, dict[str, dict[str, str]]]:
    """The words by folder of a part, then by language."""
    found: dict[Path, dict[str, dict[str, str]]] = {}
    for path in STATIC.rglob("languages/*.json"):
        if "vendor" not in path.parts:
            found.setdefault(path.parent, {})[path.stem] = json.loads(path.read_text())
    return found


def test_every_language_has_the_same_words() -> None:
    keys: list[str] = []
    for folder, languages in language_files().items():
        assert sorted(languages) == ["en", "fr"], folder
        english, french = languages["en"], languages["fr"]
        assert english.keys() == french.keys(), folder
        for key, text in english.items():
            blanks = [sorted(re.findall(r"\{\w+\}", one)) for one in (text, french[key])]
            assert blanks[0] == blanks[1], key
        keys += english
    assert len(keys) == len(set(keys))


def test_every_word_that_is_used_exists_and_none_is_left_over() -> None:
    words = {key for languages in language_files().values() for key in languages["en"]}
    code = "\n".join(CODE.values())
    spoken = {key for keys in SPOKEN.findall(code) for key in keys if key}
    missing = {key for key in spoken if key not in words and f"{key}_other" not in words}
    assert missing == set()
    patterns = [pattern for pattern in PATTERN.findall(code) if pattern]
    literals = set(LITERAL.findall(code)) | spoken
    unused = {
        key
        for key in words
        if key not in literals
        and re.sub("_(one|other)$", "", key) not in literals
        and not any(key.startswith(pattern) for pattern in patterns)
    }
    assert unused == set()


def imported(path: Path) -> set[Path]:
    """The modules that are loaded with one, itself among them."""
    found, waiting = set(), [path]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            names = IMPORT.findall(one.read_text())
            waiting += [(one.parent / name).resolve() for name in names]
    return found


def test_modules_are_asked_for_at_once() -> None:
    page = (STATIC / "index.html").read_text()
    preloaded = set(re.findall(r'rel="modulepreload" href="(.+?)"', page))
    first = imported(STATIC / "main.js")
    assert preloaded == {str(one.relative_to(STATIC)) for one in first} - {"main.js"}
    later = imported(STATIC / "render/markdown.js") - first
    named = set(re.findall(r'"((?:render|vendor)/.+?)"', (STATIC / "prose.js").read_text()))
    assert named == {str(one.relative_to(STATIC)) for one in later} - {"render/markdown.js"}
