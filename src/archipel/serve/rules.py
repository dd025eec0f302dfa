"""Content rules: what a key's prompts and answers may not hold, and what is done about it. Pure.

Expressions are RE2's: administrators write them, clients write what they are tried on, and RE2
takes time in proportion to the text, whatever both are.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from archipel.errors import ConfigError

if TYPE_CHECKING:
    from archipel.serve.rule_patterns import Span

Kind = Literal["match", "words", "pattern"]
Act = Literal["refuse", "mask", "flag"]
Side = Literal["in", "out"]

_REGEX_HOLD = 256  # characters of a match that a stream is held back for
_LONGEST = 2_000  # characters of an expression
_MEMORY_BYTES = 8 << 20  # that an expression may take
_MOST_MATCHES = 10_000  # in one text: to find all may take the square of it


@dataclass(frozen=True)
class Rule:
    """What is looked for, where, and what is done. `match` is an expression, words with commas
    between them, or a pattern's name, as `kind` says."""

    name: str
    sides: tuple[Side, ...]
    kind: Kind
    match: str
    act: Act


@dataclass(frozen=True)
class Finder:
    """Finds matches in a text. `hold`: characters of the longest one and the one after it."""

    find: "Callable[[str, int], Iterator[Span]]"
    hold: int
    has_spaces: bool  # whether a match may


@dataclass(frozen=True)
class Found:
    """A match in a text, from `start` up to `end`."""

    start: int
    end: int
    rule: Rule


class TooMany(ValueError):
    """A text has more matches than are looked for."""


@lru_cache(maxsize=1024)
def finder(kind: Kind, match: str) -> Finder:
    """How a rule's matches are found.

    Raises:
        ConfigError: it is no expression, not a word, or no pattern's name.
    """
    if kind == "pattern":
        from archipel.serve.rule_patterns import PATTERNS

        if match not in PATTERNS:
            raise ConfigError(f"{match!r} is no pattern. Take one of {', '.join(PATTERNS)}.")
        return Finder(*PATTERNS[match])
    if kind == "words":
        return _words(match)
    expression = _compiled(match)
    if expression.search("") is not None:
        raise ConfigError(f"{match!r} matches nothing at all. Write what a text must hold.")

    def find(text: str, start: int) -> "Iterator[Span]":
        return (one.span() for one in expression.finditer(text, start))

    return Finder(find, _REGEX_HOLD, has_spaces=True)


def found(rules: Sequence[Rule], text: str, start: int = 0) -> list[Found]:
    """All matches from `start` on, the one that begins first before others.

    Raises:
        TooMany: there are too many.
    """
    text = text.encode("utf-8", "replace").decode()  # JSON has half characters, UTF-8 has none
    every: list[Found] = []
    for rule in rules:
        for span in finder(rule.kind, rule.match).find(text, start):
            every.append(Found(*span, rule))
            if len(every) > _MOST_MATCHES:
                raise TooMany(f"more than {_MOST_MATCHES:,} matches of content rules")
    return sorted(every, key=lambda one: (one.start, -one.end))


def masked(text: str, matches: Sequence[Found], start: int = 0, end: int | None = None) -> str:
    """The text from `start` to `end` with what is to be masked replaced by its rule's name."""
    parts, at = [], start
    for one in matches:
        if one.rule.act == "mask" and one.end > start:
            if one.start >= at:
                parts += [text[at : one.start], f"[{_shown(one.rule)}]"]
            at = max(at, one.end)  # two that overlap leave nothing of either
    return "".join([*parts, text[at:end]])


def _shown(rule: Rule) -> str:
    return rule.match if rule.kind == "pattern" else rule.name


def _compiled(expression: str) -> Any:
    import re2  # 2 MB that a service without rules has no use for

    if len(expression) > _LONGEST:
        raise ConfigError(f"an expression of {len(expression):,} characters: at most {_LONGEST:,}.")
    options = re2.Options()
    options.max_mem, options.log_errors = _MEMORY_BYTES, False
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        said = error.args[0].decode() if isinstance(error.args[0], bytes) else error
        remedy = "RE2 has no look-around and no back-references"
        raise ConfigError(f"{expression!r} is no expression: {said} ({remedy}).") from error


def _words(written: str) -> Finder:
    import re2

    words = sorted((word.strip() for word in written.split(",")), key=len, reverse=True)
    if not all(words):
        raise ConfigError(f"{written!r} has an empty word. Write them with commas between them.")
    expression = _compiled(f"(?i){'|'.join(map(re2.escape, words))}")

    def find(text: str, start: int) -> "Iterator[Span]":
        for one in expression.finditer(text, start):
            first, end = one.span()
            if not (_is_letter(text, first - 1) or _is_letter(text, end)):
                yield first, end

    return Finder(find, len(words[0]) + 1, has_spaces=any(" " in word for word in words))


def _is_letter(text: str, place: int) -> bool:
    """Of any script: an expression's own \\b knows ASCII only."""
    return 0 <= place < len(text) and text[place].isalnum()
