"""The SQLite file of a library: its tables, made or checked, and connections to it.

Python's own `sqlite3`, not `archipel.database`: full-text search is SQLite's own, and the file can
be made again from the documents, so another version of it is refused and no migration is needed.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from archipel.errors import ConfigError, DatabaseError

_VERSION = 2
_BUSY_SECONDS = 10
_SCHEMA = """
CREATE TABLE documents (
    id INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    collection TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    added TEXT NOT NULL,
    title TEXT NOT NULL,
    language TEXT NOT NULL,
    unread TEXT NOT NULL,
    UNIQUE (owner, collection, name)
);
CREATE TABLE blocks (
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    place INTEGER NOT NULL,
    text TEXT NOT NULL,
    anchor TEXT NOT NULL,
    headings TEXT NOT NULL,
    PRIMARY KEY (document, place)
) WITHOUT ROWID;
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY,
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    place INTEGER NOT NULL,
    pieces TEXT NOT NULL
);
CREATE INDEX chunks_of_document ON chunks (document, place);
CREATE VIRTUAL TABLE chunk_words USING fts5 (
    words, stems, tokenize = 'unicode61 remove_diacritics 2'
);
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (chunk_words, row);
CREATE TABLE vectors (
    chunk INTEGER PRIMARY KEY REFERENCES chunks ON DELETE CASCADE,
    model TEXT NOT NULL,
    dimension INTEGER NOT NULL,
    vector BLOB NOT NULL
);
"""


def make_library(path: Path) -> None:
    """Make the file with its tables, or check the one that is there.

    Raises:
        ConfigError: the file can't be made.
        DatabaseError: it is no library, or of another version of this program.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)  # what SQLite adds beside it gets the same mode
    except OSError as error:
        raise ConfigError(f"can't make {path}: {error.strerror}. Check the path.") from error
    with connected(path, writes=True) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not tables:
            for statement in _SCHEMA.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        elif version != _VERSION:
            raise DatabaseError(
                f"the library {path} has version {version}; this program reads {_VERSION}: delete "
                "the file and add the documents again."
            )


@contextlib.contextmanager
def connected(path: Path, *, writes: bool) -> Iterator[sqlite3.Connection]:
    """A connection in a transaction of its own: all that the block writes, or nothing.

    Raises:
        DatabaseError: an order failed; nothing was written.
    """
    try:
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        with contextlib.closing(connection):
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            with connection:
                yield connection
    except sqlite3.Error as error:
        raise DatabaseError(
            f"the library {path} failed: {error}. If it is damaged, delete it and add "
            "the documents again."
        ) from error
