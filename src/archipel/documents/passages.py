"""Passages: chunks as they were found, with their text and the place of every part of it."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from archipel.documents.blocks import Anchor
from archipel.documents.chunks import Searched, searched
from archipel.documents.library import Place


@dataclass(frozen=True, slots=True)
class Part:
    """A block, or characters `start` on of it, within a passage."""

    block: int
    start: int
    text: str
    anchor: Anchor
    headings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk of a document of the library, with its parts in order."""

    chunk: int
    document: int
    place: Place
    title: str
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The parts' text, a line each."""
        return "\n".join(part.text for part in self.parts)

    @property
    def searched(self) -> Searched:
        """What the passage is found by."""
        headings = (heading for part in self.parts for heading in part.headings)
        texts = [part.text for part in self.parts]
        return searched(self.place.name, self.title, headings, texts)

    @property
    def sections(self) -> list[Searched]:
        """The parts under the same headings, with these above them."""
        texts: dict[tuple[str, ...], list[str]] = {}
        for part in self.parts:
            texts.setdefault(part.headings, []).append(part.text)
        return [Searched("\n".join(above), "\n".join(below)) for above, below in texts.items()]


def load_passages(connection: sqlite3.Connection, chunks: Sequence[int]) -> list[Passage]:
    """The passages of these chunks, in this order; one that is gone is left out."""
    return [passage for chunk in chunks if (passage := _load(connection, chunk)) is not None]


def _load(connection: sqlite3.Connection, chunk: int) -> Passage | None:
    row = connection.execute(
        "SELECT document, pieces, title, owner, collection, name FROM chunks"
        " JOIN documents ON documents.id = chunks.document WHERE chunks.id = ?",
        (chunk,),
    ).fetchone()
    if row is None:
        return None
    document, pieces, title = row[:3]
    parts = tuple(_part(connection, document, *piece) for piece in json.loads(pieces))
    return Passage(chunk, document, Place(*row[3:]), title, parts)


def _part(connection: sqlite3.Connection, document: int, block: int, start: int, end: int) -> Part:
    text, anchor, headings = connection.execute(
        "SELECT text, anchor, headings FROM blocks WHERE (document, place) = (?, ?)",
        (document, block),
    ).fetchone()
    placed = Anchor.from_json(json.loads(anchor))
    return Part(block, start, text[start:end], placed, tuple(json.loads(headings)))
