"""The SQLite file of the folders' index: its tables, made or checked, and connections to it.

It holds references to files and the words that were read from them, no copies. It can be made
again from the folders, so another version of it is refused and no migration is needed.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from archipel.errors import ConfigError, DatabaseError

PLACE_BITS = 20  # a chunk's number is its text's number and, in these bits, its place in the text
_VERSION = 1
_BUSY_SECONDS = 10
_SCHEMA = """
CREATE TABLE folders (
    path TEXT PRIMARY KEY,
    added TEXT NOT NULL,
    checked TEXT
);
CREATE TABLE texts (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    suffix TEXT NOT NULL,
    size INTEGER NOT NULL,
    title TEXT NOT NULL,
    language TEXT NOT NULL,
    unread TEXT NOT NULL,
    UNIQUE (digest, suffix)
);
CREATE INDEX texts_by_size ON texts (size);
CREATE TABLE files (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    suffix TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    text INTEGER REFERENCES texts,
    refusal TEXT,
    reason TEXT
);
CREATE INDEX files_by_text ON files (text);
CREATE VIRTUAL TABLE names USING fts5 (stems, tokenize = 'ascii');
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY,
    body BLOB NOT NULL
);
CREATE VIRTUAL TABLE chunk_words USING fts5 (stems, content = '', tokenize = 'ascii');
INSERT INTO chunk_words (chunk_words, rank) VALUES ('hashsize', 16777216);
CREATE TABLE totals (chunks INTEGER NOT NULL);
INSERT INTO totals VALUES (0);
"""


def make_index(path: Path) -> None:
    """Make the file with its tables, for its owner's eyes only, or check the one that is there.

    Raises:
        ConfigError: the file can't be made.
        DatabaseError: it is no index, or of another version of this program.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)  # what SQLite adds beside it gets the same mode
    except OSError as error:
        raise ConfigError(f"can't make {path}: {error.strerror}. Check the path.") from error
    with opened(path) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not tables:
            connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
        elif version != _VERSION:
            raise DatabaseError(
                f"the index {path} has version {version}; this program reads {_VERSION}: delete "
                "the file, add the folders again and run `archipel search index`."
            )


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection without a transaction; what was not committed when the block ends is undone.

    Raises:
        DatabaseError: an order failed.
    """
    try:
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        with contextlib.closing(connection):
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
                connection.execute(f"PRAGMA {pragma}")
            yield connection
    except sqlite3.Error as error:
        raise DatabaseError(
            f"the index {path} failed: {error}. If the disk is full, free some space; if the file "
            "is damaged, delete it, add the folders again and run `archipel search index`."
        ) from error
