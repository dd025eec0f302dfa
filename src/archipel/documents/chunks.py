"""Blocks to chunks, the passages that are found: a few blocks of some 180 words, overlapping.

Knows nothing about the index. A chunk is named by ranges of its blocks, so that a citation finds
its place.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from archipel.documents.blocks import Block
from archipel.documents.sentences import sentences

CHUNK_WORDS = 180
_OVERLAP_WORDS = 45


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters `start` to `end` of the block at place `block` (from 0) of its document."""

    block: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Sized:
    piece: Piece
    words: int


def cut_into_chunks(blocks: Sequence[Block]) -> list[tuple[Piece, ...]]:
    """The chunks of a document in order. A chunk begins with the end of the one before it, whole
    blocks (or parts of a block that is longer than a chunk) up to 45 words."""
    chunks: list[tuple[Piece, ...]] = []
    current: list[_Sized] = []
    fresh = 0  # pieces of `current` that are in no chunk yet
    for sized in _pieces(blocks):
        if fresh and sum(one.words for one in current) + sized.words > CHUNK_WORDS:
            chunks.append(tuple(one.piece for one in current))
            current, fresh = _overlap(current, CHUNK_WORDS - sized.words), 0
        current.append(sized)
        fresh += 1
    if fresh:
        chunks.append(tuple(one.piece for one in current))
    return chunks


@dataclass(frozen=True, slots=True)
class Searched:
    """What a chunk is found by: its text, and above it what says best what it is on."""

    above: str
    below: str


def searched(name: str, title: str, headings: Iterable[str], texts: Sequence[str]) -> Searched:
    """Above a chunk stand its document's name without suffix, title, and headings; each once."""
    above = list(dict.fromkeys([PurePath(name).stem, title, *headings]))
    below = [text for text in texts if text not in above]
    return Searched("\n".join(above), "\n".join(below))


def _overlap(chunk: list[_Sized], room: int) -> list[_Sized]:
    """The last pieces of a chunk that the next one begins with."""
    kept: list[_Sized] = []
    words = 0
    for sized in reversed(chunk[1:]):
        words += sized.words
        if words > min(_OVERLAP_WORDS, room):
            break
        kept.insert(0, sized)
    return kept


def _pieces(blocks: Sequence[Block]) -> list[_Sized]:
    pieces: list[_Sized] = []
    for place, block in enumerate(blocks):
        words = len(block.text.split())
        if words <= CHUNK_WORDS:
            pieces.append(_Sized(Piece(place, 0, len(block.text)), words))
        else:
            pieces += _parts(place, block.text)
    return pieces


def _parts(place: int, text: str) -> list[_Sized]:
    """A long block by sentences, a third of a chunk or less each."""
    parts: list[_Sized] = []
    start, end, words = 0, 0, 0
    for begin, finish, count in _short_spans(text):
        if words and words + count > CHUNK_WORDS // 3:
            parts.append(_Sized(Piece(place, start, end), words))
            start, words = begin, 0
        end = finish
        words += count
    parts.append(_Sized(Piece(place, start, end), words))
    return parts


def _short_spans(text: str) -> list[tuple[int, int, int]]:
    """Start, end and words of each sentence; one longer than a third of a chunk is cut at blanks,
    and what has no blanks after 1,200 characters."""
    spans: list[tuple[int, int, int]] = []
    for start, end in sentences(text):
        while end - start > 1200 or len(text[start:end].split()) > CHUNK_WORDS // 3:
            limit = min(start + 400, end)
            cut = text.rfind(" ", start + 1, limit)
            cut = cut if cut > start else limit
            spans.append((start, cut, max(1, len(text[start:cut].split()))))
            start = cut
            if start >= end:
                break
        if start < end:
            spans.append((start, end, max(1, len(text[start:end].split()))))
    return spans
