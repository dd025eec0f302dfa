"""What is read from a file and kept: chunks with their parts and stems, each packed in a few bytes.

Knows nothing about files or the index.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archipel.documents.blocks import Anchor, Document, Unread
from archipel.documents.chunks import Piece, cut_into_chunks, searched
from archipel.documents.concepts import chunk_words
from archipel.documents.passages import Part


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some blocks of a document, or parts of blocks, and the stems that they are found by."""

    parts: tuple[Part, ...]
    stems: str

    def to_json(self) -> dict[str, Any]:
        """The chunk as JSON has it."""
        return {"parts": [_part_json(part) for part in self.parts], "stems": self.stems}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Chunk":
        """The chunk that `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it did not.
        """
        return cls(tuple(_part(part) for part in value["parts"]), str(value["stems"]))

    def packed(self) -> bytes:
        """The chunk in some 800 bytes; stems are mostly words of the text, so they cost little."""
        parts = json.dumps([_part_json(part) for part in self.parts], ensure_ascii=False)
        return zlib.compress(f"{parts}\n{self.stems}".encode())

    @classmethod
    def unpacked(cls, body: bytes) -> "Chunk":
        """The chunk that `packed` packed."""
        parts, _, stems = zlib.decompress(body).decode().rpartition("\n")
        return cls(tuple(_part(part) for part in json.loads(parts)), stems)


@dataclass(frozen=True, slots=True)
class Text:
    """A file's words: `size` and `digest` are of the bytes that they were read from."""

    digest: str
    suffix: str
    size: int
    title: str
    language: str
    unread: tuple[Unread, ...]
    chunks: tuple[Chunk, ...]


def stems_of(body: bytes) -> str:
    """The stems of a packed chunk, without its parts."""
    return zlib.decompress(body).decode().rpartition("\n")[2]


def chunks_of(document: Document) -> list[Chunk]:
    """The chunks of a document. What a file is called is no part of them: it may be renamed."""
    return [_chunk(document, pieces) for pieces in cut_into_chunks(document.blocks)]


def _chunk(document: Document, pieces: tuple[Piece, ...]) -> Chunk:
    parts = []
    for piece in pieces:
        block = document.blocks[piece.block]
        text = block.text[piece.start : piece.end]
        parts.append(Part(piece.block, piece.start, text, block.anchor, block.headings))
    headings = (heading for part in parts for heading in part.headings)
    found_by = searched("", document.title, headings, [part.text for part in parts])
    return Chunk(tuple(parts), chunk_words(found_by).stems)


def _part_json(part: Part) -> list[Any]:
    return [part.block, part.start, part.text, part.anchor.to_json(), part.headings]


def _part(value: list[Any]) -> Part:
    block, start, text, anchor, headings = value
    return Part(int(block), int(start), str(text), Anchor.from_json(anchor), tuple(headings))
