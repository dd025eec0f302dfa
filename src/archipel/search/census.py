"""What the index holds of each folder, and what was not read and why."""

import sqlite3
from dataclasses import dataclass

from archipel.search.index import span_below


@dataclass(frozen=True, slots=True)
class Refusal:
    """Files refused for the same reason; `paths` and `reasons` of the first of them."""

    kind: str
    count: int
    examples: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """A folder that is watched: when it was last looked at as a whole, files read and refused, and
    parts of read files, as pages that are pictures, that gave no text."""

    path: str
    checked: str | None
    read: int
    pictures: int
    refusals: tuple[Refusal, ...]


def census(connection: sqlite3.Connection, examples: int) -> list[Counted]:
    """Every folder, with so many examples for each kind of refusal.

    Raises:
        sqlite3.Error: the index can't be read.
    """
    rows = connection.execute("SELECT path, checked FROM folders ORDER BY path").fetchall()
    return [_counted(connection, path, checked, examples) for path, checked in rows]


def _counted(
    connection: sqlite3.Connection, path: str, checked: str | None, examples: int
) -> Counted:
    span = span_below(path)
    read, pictures = connection.execute(
        "SELECT count(*), coalesce(sum(json_array_length(unread)), 0) FROM files"
        " JOIN texts ON texts.id = files.text WHERE path > ? AND path < ?",
        span,
    ).fetchone()
    kinds = connection.execute(
        "SELECT refusal, count(*) FROM files WHERE path > ? AND path < ? AND refusal NOT NULL"
        " GROUP BY refusal ORDER BY count(*) DESC",
        span,
    ).fetchall()
    refusals = [
        Refusal(kind, count, _examples(connection, span, kind, examples)) for kind, count in kinds
    ]
    return Counted(path, checked, read, pictures, tuple(refusals))


def _examples(
    connection: sqlite3.Connection, span: tuple[str, str], kind: str, examples: int
) -> tuple[tuple[str, str], ...]:
    rows = connection.execute(
        "SELECT path, reason FROM files WHERE path > ? AND path < ? AND refusal = ?"
        " ORDER BY path LIMIT ?",
        (*span, kind, examples),
    ).fetchall()
    return tuple((path, reason) for path, reason in rows)
