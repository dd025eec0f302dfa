"""How many suggestions were shown, accepted and kept, by day, language and model. Numbers only:
nothing of the code, and nothing leaves this machine.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from archipel.errors import DatabaseError

GROUPS = ("day", "language", "model")

_SECONDS = 1  # to wait for another editor that writes
_TABLE = """
CREATE TABLE IF NOT EXISTS suggestions (
  day TEXT, language TEXT, model TEXT, shown INTEGER, accepted INTEGER, kept INTEGER,
  PRIMARY KEY (day, language, model)
)
"""
_ADD = """
INSERT INTO suggestions VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (day, language, model) DO UPDATE SET
  shown = shown + excluded.shown,
  accepted = accepted + excluded.accepted,
  kept = kept + excluded.kept
"""
_SUMS = {
    by: f"SELECT {by}, SUM(shown), SUM(accepted), SUM(kept) FROM suggestions GROUP BY 1 ORDER BY 1"
    for by in GROUPS
}


@dataclass(frozen=True)
class Kind:
    """What is counted together; `day` as 2026-11-29."""

    day: str
    language: str
    model: str


@dataclass(frozen=True)
class Sum:
    """What became of the suggestions of one day, language or model."""

    name: str
    shown: int
    accepted: int
    kept: int


class Counts:
    """The file at `path`, which is made at the first count. Several programs may use it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, kind: Kind, *, shown: int = 0, accepted: int = 0, kept: int = 0) -> None:
        """Count some more.

        Raises:
            DatabaseError: the file can't be written.
        """
        with self._opened() as connection, connection:
            connection.execute(_TABLE)
            row = (kind.day, kind.language, kind.model, shown, accepted, kept)
            connection.execute(_ADD, row)

    def sums(self, by: str) -> Sequence[Sum]:
        """All that was counted, by one of `GROUPS`, in the order of the names.

        Raises:
            DatabaseError: the file can't be read.
        """
        if not self.path.exists():
            return []
        with self._opened() as connection:
            connection.execute(_TABLE)
            return [Sum(*row) for row in connection.execute(_SUMS[by])]

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch(0o600)  # what SQLite adds beside it gets the same mode
            with contextlib.closing(sqlite3.connect(self.path, timeout=_SECONDS)) as connection:
                connection.execute("PRAGMA synchronous = OFF")  # a suggestion must not wait for it
                yield connection
        except (OSError, sqlite3.Error) as error:
            raise DatabaseError(
                f"suggestions can't be counted in {self.path}: {error}. Check that you may write "
                "there; if the file is damaged, remove it."
            ) from error
