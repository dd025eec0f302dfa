"""The folders' index: which folders, which files, and the words that were read from them.

Knows nothing about how files are found or read. One process at a time writes; what it wrote is
there for others after `commit`, and after a crash.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

from archipel.documents.language import LANGUAGES
from archipel.documents.words import folded_words, marked_stems
from archipel.errors import ArchipelError
from archipel.search.crew import State
from archipel.search.index_file import PLACE_BITS
from archipel.search.texts import Text, stems_of
from archipel.search.walk import is_within

UNREADABLE = "NotAllowed"  # the refusal of a file that this person may not read


@dataclass(frozen=True, slots=True)
class Known:
    """A file as the index has it; without a text it was refused."""

    state: State
    text: int | None
    refusal: str | None


class Index:
    """The index within a connection; nothing stays that is not committed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def commit(self) -> None:
        """Let stay what was written."""
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")

    def add_folder(self, path: str, now: datetime) -> None:
        """Watch a folder; what is watched below it becomes part of it."""
        for folder in self.folders():
            if folder != path and is_within(folder, path):
                self._write("DELETE FROM folders WHERE path = ?", (folder,))
        self._write("INSERT OR IGNORE INTO folders VALUES (?, ?, NULL)", (path, now.isoformat()))

    def remove_folder(self, path: str) -> None:
        """Watch a folder no more, and forget what was read from it."""
        self._write("DELETE FROM folders WHERE path = ?", (path,))
        others = self.folders()
        for known in self.files_at(path):
            if not any(is_within(known, folder) for folder in others):
                self.forget(known)
        self.sweep()

    def folders(self) -> list[str]:
        """The folders that are watched."""
        rows = self._connection.execute("SELECT path FROM folders ORDER BY path")
        return [row[0] for row in rows]

    def checked(self, folder: str, now: datetime) -> None:
        """Note that all of the folder was looked at."""
        self._write("UPDATE folders SET checked = ? WHERE path = ?", (now.isoformat(), folder))

    def files_at(self, path: str) -> dict[str, Known]:
        """The files at or below `path`."""
        rows = self._connection.execute(
            "SELECT path, size, mtime_ns, inode, text, refusal FROM files"
            " WHERE path = ? OR (path > ? AND path < ?)",
            (path, *span_below(path)),
        )
        return {row[0]: Known(State(*row[1:4]), *row[4:]) for row in rows}

    def digests(self, size: int) -> dict[tuple[str, str], int]:
        """The texts read from so many bytes, by digest and suffix."""
        rows = self._connection.execute(
            "SELECT digest, suffix, id FROM texts WHERE size = ?", (size,)
        )
        return {(row[0], row[1]): row[2] for row in rows}

    def keep(self, path: str, state: State, text: Text) -> None:
        """The file has these words now."""
        known = self.digests(text.size).get((text.digest, text.suffix))
        self.refer(path, state, self._insert(text) if known is None else known)

    def refer(self, path: str, state: State, text: int) -> None:
        """The file has the words of a text that is in the index."""
        self._put(path, state, (text, None, None))

    def refuse(self, path: str, state: State, error: ArchipelError) -> None:
        """The file gave no words, and why."""
        self._put(path, state, (None, type(error).__name__, str(error)))

    def forget(self, path: str) -> None:
        """The file is no longer there."""
        row = self._connection.execute("SELECT id FROM files WHERE path = ?", (path,)).fetchone()
        if row is not None:
            self._write("DELETE FROM names WHERE rowid = ?", row)
            self._write("DELETE FROM files WHERE id = ?", row)

    def sweep(self) -> None:
        """Drop the files that are in no folder any more, and the words that no file has."""
        strays = self._connection.execute(
            "SELECT path FROM files WHERE NOT EXISTS (SELECT 1 FROM folders"
            " WHERE files.path > rtrim(folders.path, '/') || '/'"
            " AND files.path < rtrim(folders.path, '/') || '0')"
        ).fetchall()
        for (path,) in strays:
            self.forget(path)
        rows = self._connection.execute(
            "SELECT id FROM texts WHERE NOT EXISTS (SELECT 1 FROM files WHERE text = texts.id)"
        ).fetchall()
        for (text,) in rows:
            self._drop(text)

    def _put(self, path: str, state: State, found: Sequence[object]) -> None:
        """A file in the place of what was known of it."""
        suffix = PurePath(path).suffix.lower()
        row = self._write(
            "INSERT INTO files (path, suffix, size, mtime_ns, inode, text, refusal, reason)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET"
            " size = excluded.size, mtime_ns = excluded.mtime_ns, inode = excluded.inode,"
            " text = excluded.text, refusal = excluded.refusal, reason = excluded.reason"
            " RETURNING id",
            (path, suffix, state.size, state.mtime_ns, state.inode, *found),
        ).fetchone()
        self._write(
            "INSERT OR REPLACE INTO names (rowid, stems) VALUES (?, ?)", (row[0], name_stems(path))
        )

    def _insert(self, text: Text) -> int:
        row = self._write(
            "INSERT INTO texts (digest, suffix, size, title, language, unread)"
            " VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
            (
                *(text.digest, text.suffix, text.size, text.title, text.language),
                json.dumps([one.to_json() for one in text.unread]),
            ),
        ).fetchone()
        number = int(row[0])
        first = number << PLACE_BITS
        packed = [(first + place, chunk.packed()) for place, chunk in enumerate(text.chunks)]
        stems = [(first + place, chunk.stems) for place, chunk in enumerate(text.chunks)]
        self._connection.executemany("INSERT INTO chunks VALUES (?, ?)", packed)
        self._connection.executemany("INSERT INTO chunk_words (rowid, stems) VALUES (?, ?)", stems)
        self._write("UPDATE totals SET chunks = chunks + ?", (len(packed),))
        return number

    def _drop(self, text: int) -> None:
        """FTS5 keeps no words by themselves: it must be told those that it is to take out."""
        span = (text << PLACE_BITS, (text + 1) << PLACE_BITS)
        rows = self._connection.execute(
            "SELECT id, body FROM chunks WHERE id >= ? AND id < ?", span
        ).fetchall()
        for number, body in rows:
            self._write(
                "INSERT INTO chunk_words (chunk_words, rowid, stems) VALUES ('delete', ?, ?)",
                (number, stems_of(body)),
            )
        self._write("UPDATE totals SET chunks = chunks - ?", (len(rows),))
        self._write("DELETE FROM chunks WHERE id >= ? AND id < ?", span)
        self._write("DELETE FROM texts WHERE id = ?", (text,))

    def _write(self, order: str, values: Sequence[object]) -> sqlite3.Cursor:
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")
        return self._connection.execute(order, values)


def span_below(path: str) -> tuple[str, str]:
    """What all paths below this one are between: "0" is the sign after "/"."""
    start = path.rstrip("/")
    return f"{start}/", f"{start}0"


def name_stems(path: str) -> str:
    """What a file is found by when its name is asked for, in either language."""
    return " ".join(marked_stems(folded_words(PurePath(path).stem), LANGUAGES))
