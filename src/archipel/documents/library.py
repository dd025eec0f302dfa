"""A library: documents, their blocks, and the index to search them, in one SQLite file.

Who may see what is the caller's to say, in scopes.
"""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from archipel.documents.blocks import Anchor, Block, Document, Unread
from archipel.documents.chunks import cut_into_chunks, searched
from archipel.documents.concepts import chunk_words
from archipel.documents.library_file import connected, make_library


@dataclass(frozen=True, slots=True)
class Scope:
    """Documents of one owner: those of a collection, or all with None. Who may see which scope is
    the caller's to say; every question and order is held to the scopes it comes with."""

    owner: str
    collection: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Under what a document stands in the library; one document has it."""

    owner: str
    collection: str
    name: str


@dataclass(frozen=True, slots=True)
class Held:
    """A document that the library holds."""

    id: int
    place: Place
    digest: str
    added: datetime
    title: str
    language: str
    unread: tuple[Unread, ...]


class Library:
    """One library. Each call opens the file for itself, so threads may share it."""

    def __init__(self, path: Path) -> None:
        """Open the file at `path`, or make it.

        Raises:
            ConfigError: the file can't be made.
            DatabaseError: it is no library, or of another version of this program.
        """
        self._path = path
        make_library(path)

    def connected(self, *, writes: bool = False) -> AbstractContextManager[sqlite3.Connection]:
        """A connection in a transaction of its own: all that the block writes, or nothing.

        Raises:
            DatabaseError: an order failed; nothing was written.
        """
        return connected(self._path, writes=writes)

    def digest(self, place: Place) -> str | None:
        """The digest of the bytes that the document in this place was read from, or None."""
        with self.connected() as connection:
            row = connection.execute(
                "SELECT digest FROM documents WHERE (owner, collection, name) = (?, ?, ?)",
                _key(place),
            ).fetchone()
        return row[0] if row else None

    def add(self, place: Place, digest: str, document: Document, added: datetime) -> int:
        """Put a document in; one that was in its place goes. Returns its id.

        Raises:
            DatabaseError: it can't be written; the library is as it was.
        """
        with self.connected(writes=True) as connection:
            _remove(connection, place)
            unread = json.dumps([unread.to_json() for unread in document.unread])
            found = (digest, added.isoformat(), document.title, document.language, unread)
            connection.execute(
                "INSERT INTO documents (owner, collection, name, digest, added, title, language,"
                " unread) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*_key(place), *found),
            )
            number = _last_id(connection)
            connection.executemany(
                "INSERT INTO blocks VALUES (?, ?, ?, ?, ?)",
                (
                    (number, row, block.text, _json(block.anchor.to_json()), _json(block.headings))
                    for row, block in enumerate(document.blocks)
                ),
            )
            _index(connection, number, place.name, document)
        return number

    def remove(self, place: Place) -> bool:
        """Take a document out; whether it was there."""
        with self.connected(writes=True) as connection:
            return _remove(connection, place)

    def documents(self, scopes: Sequence[Scope]) -> list[Held]:
        """What the library holds within the scopes, by name."""
        with self.connected() as connection:
            rows = connection.execute(
                "SELECT id, owner, collection, name, digest, added, title, language,"
                f" unread FROM documents WHERE {WITHIN} ORDER BY name, id",
                {"scopes": scopes_json(scopes)},
            ).fetchall()
        return [_held(row) for row in rows]

    def blocks(
        self, scopes: Sequence[Scope], document: int, first: int, last: int
    ) -> list[tuple[int, Block]]:
        """The blocks of a document at places `first` to `last`, both from 0 and included, if it is
        within the scopes; each with its place."""
        with self.connected() as connection:
            rows = connection.execute(
                "SELECT place, text, anchor, blocks.headings FROM blocks"
                " JOIN documents ON documents.id = blocks.document"
                f" WHERE document = :document AND place BETWEEN :first AND :last AND {WITHIN}"
                " ORDER BY place",
                {
                    "scopes": scopes_json(scopes),
                    "document": document,
                    "first": first,
                    "last": last,
                },
            ).fetchall()
        return [(row[0], _block(row[1:])) for row in rows]


WITHIN = """EXISTS (
    SELECT 1 FROM json_each(:scopes) AS scope
    WHERE json_extract(scope.value, '$[0]') = documents.owner
    AND coalesce(json_extract(scope.value, '$[1]'), documents.collection) = documents.collection
)"""


def scopes_json(scopes: Sequence[Scope]) -> str:
    """The value of `:scopes` in `WITHIN`, the condition that holds a query to the scopes."""
    return _json([[scope.owner, scope.collection] for scope in scopes])


def _index(connection: sqlite3.Connection, document: int, name: str, read: Document) -> None:
    """The chunks of a document, and the words that they are found by."""
    for place, pieces in enumerate(cut_into_chunks(read.blocks)):
        connection.execute(
            "INSERT INTO chunks (document, place, pieces) VALUES (?, ?, ?)",
            (document, place, _json([[piece.block, piece.start, piece.end] for piece in pieces])),
        )
        headings = (heading for piece in pieces for heading in read.blocks[piece.block].headings)
        texts = [read.blocks[piece.block].text[piece.start : piece.end] for piece in pieces]
        found_by = chunk_words(searched(name, read.title, headings, texts))
        connection.execute(
            "INSERT INTO chunk_words (rowid, words, stems) VALUES (?, ?, ?)",
            (_last_id(connection), found_by.words, found_by.stems),
        )


def _remove(connection: sqlite3.Connection, place: Place) -> bool:
    row = connection.execute(
        "SELECT id FROM documents WHERE (owner, collection, name) = (?, ?, ?)",
        _key(place),
    ).fetchone()
    if row is None:
        return False
    connection.execute(
        "DELETE FROM chunk_words WHERE rowid IN (SELECT id FROM chunks WHERE document = ?)", row
    )
    connection.execute("DELETE FROM documents WHERE id = ?", row)
    return True


def _key(place: Place) -> tuple[str, str, str]:
    return place.owner, place.collection, place.name


def _last_id(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT last_insert_rowid()").fetchone()[0])


def _held(row: Sequence[Any]) -> Held:
    number, owner, collection, name, digest, added, title, language, unread = row
    parts = tuple(Unread.from_json(part) for part in json.loads(unread))
    place = Place(owner, collection, name)
    return Held(number, place, digest, datetime.fromisoformat(added), title, language, parts)


def _block(row: Sequence[str]) -> Block:
    text, anchor, headings = row
    return Block(text, Anchor.from_json(json.loads(anchor)), tuple(json.loads(headings)))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
