"""A long text in parts that a model can take: cut between paragraphs, else lines, sentences, words.

Code blocks are parts that are kept as they are. The parts, one after the other, are the text again.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_FENCED = re.compile(r"^[ \t]*(```+|~~~+)[^\n]*\n(?:.*?^[ \t]*\1[`~]*[ \t]*$|.*)", re.M | re.S)
_ENDS = (
    re.compile(r"\n[ \t]*\n\s*"),  # of paragraphs
    re.compile(r"\n+"),  # of lines
    re.compile(r"(?<=[.!?…;。！？])[\s\u202f\u00a0]+|(?<=[。！？])"),  # of sentences
    re.compile(r"\s+"),  # of words
)
_SENTENCES = 3  # of them end a sentence


@dataclass(frozen=True)
class Part:
    """White space `before` and `after` is not sent; of a part that is `kept`, nothing is."""

    text: str
    before: str = ""
    after: str = ""
    kept: bool = False


def cut(text: str, most_bytes: int) -> list[Part]:
    """The parts of a text, each of at most so many bytes of UTF-8. Pure."""
    return _beside_code(text, lambda prose: pieces(prose, most_bytes))


def sentences(text: str, most_bytes: int) -> list[Part]:
    """A text in its sentences, cut where they have more bytes. Pure."""

    def each(prose: str) -> list[str]:
        found = [prose]
        for end in _ENDS[:_SENTENCES]:
            found = [one for whole in found for one in _split(whole, end)]
        return [piece for one in found for piece in pieces(one, most_bytes)]

    return _beside_code(text, each)


def pieces(text: str, most_bytes: int) -> list[str]:
    """The text cut all the same, code or not. Pure."""
    return list(_pieces(text, most_bytes, 0))


def _beside_code(text: str, cut_prose: Callable[[str], list[str]]) -> list[Part]:
    found, end = [], 0
    for code in _FENCED.finditer(text):
        found += [_part(piece) for piece in cut_prose(text[end : code.start()])]
        found.append(Part(code[0], kept=True))
        end = code.end()
    return found + [_part(piece) for piece in cut_prose(text[end:])]


def _part(text: str) -> Part:
    stripped = text.strip()
    if not stripped:
        return Part(text, kept=True)
    start = text.index(stripped)
    return Part(stripped, text[:start], text[start + len(stripped) :])


def _pieces(text: str, most_bytes: int, level: int) -> Iterator[str]:
    """Cut at the level's ends; neighbours that fit together stay together."""
    if _size(text) <= most_bytes:
        if text:
            yield text
        return
    if level == len(_ENDS):
        yield from _hard(text, most_bytes)
        return
    held, held_bytes = "", 0
    for one in _split(text, _ENDS[level]):
        size = _size(one)
        if held and held_bytes + size > most_bytes:
            yield from _pieces(held, most_bytes, level + 1)
            held, held_bytes = "", 0
        held += one
        held_bytes += size
    yield from _pieces(held, most_bytes, level + 1)


def _split(text: str, end: re.Pattern[str]) -> Iterator[str]:
    start = 0
    for match in end.finditer(text):
        yield text[start : match.end()]
        start = match.end()
    yield text[start:]


def _hard(text: str, most_bytes: int) -> Iterator[str]:
    """What has no white space at all: so many characters that they fit, however wide."""
    step = max(1, most_bytes // 4)
    for start in range(0, len(text), step):
        yield text[start : start + step]


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
