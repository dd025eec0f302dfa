"""Whether a text keeps to what was asked of its form. Pure; no check needs a judge."""

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

_WORD = re.compile(r"[\w'’-]+")
_SENTENCE_END = re.compile(r"[.!?…]+(?=\s|$)")
_COMMONEST = {
    "en": "the of and to in is that it was for on with as are at be this by from",
    "fr": "le la les des est et une un dans que qui pour sur avec au du il elle",
}
_COMMON = {language: frozenset(words.split()) for language, words in _COMMONEST.items()}


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _marked_lines(text: str, mark: str, count: int) -> bool:
    lines = _lines(text)
    return len(lines) == count and all(re.match(mark, line) for line in lines)


def _is_json(text: str, keys: list[str]) -> bool:
    """With or without a block of code around it."""
    bare = re.sub(r"^```(?:json)?\s*|\s*```$", "", text.strip())
    try:
        value = json.loads(bare)
    except ValueError:
        return False
    return isinstance(value, dict) and sorted(value) == sorted(keys)


def _is_in(text: str, language: str) -> bool:
    """By which language's commonest words there are more of."""
    words = _words(text)
    counts = {name: sum(word in common for word in words) for name, common in _COMMON.items()}
    return counts[language] > max(n for name, n in counts.items() if name != language)


CHECKS: Mapping[str, Callable[[str, Any], bool]] = MappingProxyType(
    {
        "words_at_most": lambda text, most: 0 < len(_words(text)) <= most,
        "words_at_least": lambda text, least: len(_words(text)) >= least,
        "sentences": lambda text, count: len(_SENTENCE_END.findall(text.strip())) == count,
        "bullets": lambda text, count: _marked_lines(text, r"[-*•] ", count),
        "numbered": lambda text, count: _marked_lines(text, r"\d+[.)] ", count),
        "paragraphs": lambda text, count: len(re.split(r"\n\s*\n", text.strip())) == count,
        "contains": lambda text, words: all(word in _words(text) for word in words),
        "avoids": lambda text, sign: bool(text.strip()) and sign not in text.lower(),
        "begins": lambda text, start: text.strip().startswith(start),
        "ends": lambda text, end: text.strip().endswith(end),
        "lower_case": lambda text, _: bool(_words(text)) and text == text.lower(),
        "upper_case": lambda text, _: bool(_words(text)) and text == text.upper(),
        "quoted": lambda text, marks: (
            len(text.strip()) > 2 and text.strip()[0] == marks[0] and text.strip()[-1] == marks[1]
        ),
        "one_of": lambda text, words: text.strip().rstrip(".!").lower() in words,
        "json": _is_json,
        "language": _is_in,
    }
)
