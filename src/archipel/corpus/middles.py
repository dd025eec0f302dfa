"""Text rearranged so that a model learns to fill in a middle: what is before a gap, what is behind
it, then the gap itself (prefix, suffix, middle, as in Bavarian et al. 2022). Pure.
"""

import random
from collections.abc import Iterator
from typing import NamedTuple

PREFIX, SUFFIX, MIDDLE = "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"
_PIECE_CHARACTERS = 1200  # so that a small model's context holds all three


class Part(NamedTuple):
    """A piece of text, and the special token in front of it, if there is one."""

    mark: str | None
    text: str


Document = tuple[Part, ...]


def plain(text: str) -> Document:
    """A text as it is."""
    return (Part(None, text),)


def rearranged(text: str, share: float, dice: random.Random) -> Iterator[Document]:
    """`text` cut into pieces after lines: about that `share` of them rearranged, each a document of
    its own, and what stands between these as it is."""
    kept = ""
    for piece in _pieces(text):
        if dice.random() >= share:
            kept += piece
            continue
        if kept.strip():
            yield plain(kept)
        kept = ""
        start, end = sorted(dice.randint(0, len(piece)) for _ in range(2))
        yield (
            Part(PREFIX, piece[:start]),
            Part(SUFFIX, piece[end:]),
            Part(MIDDLE, piece[start:end]),
        )
    if kept.strip():
        yield plain(kept)


def _pieces(text: str) -> Iterator[str]:
    while text:
        end = len(text)
        if end > _PIECE_CHARACTERS:
            end = text.rfind("\n", 0, _PIECE_CHARACTERS) + 1 or _PIECE_CHARACTERS
        yield text[:end]
        text = text[end:]
