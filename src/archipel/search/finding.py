"""From a person's words to passages of their files: the rarest words first, so that it stays quick.

Any text is a question: nothing in it is taken for syntax. What FTS5 would take seconds for among
a hundred thousand documents, to weigh every passage that has any word, is not asked of it: it is
asked for passages with all words, then for those with fewer, the common words left out first, until
there are enough; these are ranked as the assistant's library ranks its own (`concepts.fit`).
"""

import itertools
import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from archipel.documents.concepts import ChunkWords, Concept, Rated, concepts_of, fit, rated
from archipel.documents.language import LANGUAGES
from archipel.documents.library import Place
from archipel.documents.passages import Passage
from archipel.documents.words import stem
from archipel.search.index import name_stems, span_below
from archipel.search.index_file import PLACE_BITS
from archipel.search.texts import Chunk, stems_of

_ENOUGH = 60  # passages to rank, of each way to find them
_NAMED = 20  # files to rank because of their names
_WEIGHED = 3_000  # of those that have the words, the newest ones, so many are weighed by BM25
_COUNTED = 200  # passages with a term, from which it is estimated how many have it
_MOST_TERMS = 12  # of one concept in a query
_OWN = 1.0  # the weight of a question's own terms


@dataclass(frozen=True, slots=True)
class Filters:
    """Which files count: of these types (as "pdf"), changed from `since` on and before `before`,
    below `folder`. None: all."""

    types: frozenset[str] | None = None
    since: datetime | None = None
    before: datetime | None = None
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A passage, the file that it stands in, others with the same bytes, and whether the file was
    changed since it was read."""

    passage: Passage
    path: Path
    copies: tuple[Path, ...]
    modified: datetime
    is_changed: bool


def find(
    connection: sqlite3.Connection,
    asked: Sequence[Rated],
    filters: Filters,
    limit: int,
    of_each: int = 1,
) -> list[Found]:
    """The passages that fit the question best, at most `limit` and `of_each` file so many, best
    first; of files that are there and that this person may read now.

    Raises:
        sqlite3.Error: the index can't be read.
    """
    held = [one for one in asked if one.concept.stems or one.concept.words]
    if not held:
        return []
    within = _within(connection, filters)
    if within is None:
        return []
    candidates = _candidates(connection, held, within)
    files = _Files(connection, filters)
    found: list[Found] = []
    taken: dict[int, int] = {}
    for chunk in _ranked(connection, held, candidates, files):
        text = chunk >> PLACE_BITS
        if taken.get(text, 0) < of_each and (one := files.found(chunk)):
            taken[text] = taken.get(text, 0) + 1
            found.append(one)
            if len(found) == limit:
                break
    return found


def question_in(connection: sqlite3.Connection, question: str) -> list[Rated]:
    """The concepts of a question as stems, with their rarities in this index, the rarest first.

    Raises:
        sqlite3.Error: the index can't be read.
    """
    concepts = [in_stems(concept) for concept in concepts_of(question)]
    chunks, last = connection.execute(
        "SELECT chunks, coalesce((SELECT max(id) FROM texts), 0) FROM totals"
    ).fetchone()
    terms = {
        word
        for concept in concepts
        for term in (*concept.stems, *concept.words)
        for word in term.split()
    }
    counts = {term: _count(connection, term, last) for term in terms}
    having = {term: count for term, count in counts.items() if count}
    return sorted(rated(concepts, chunks, having), key=lambda one: -one.rarity)


def in_stems(concept: Concept) -> Concept:
    """A concept for an index of stems only: its words and phrases as stems of either language."""
    stems = dict(concept.stems)
    phrases: dict[str, float] = {}
    for term, weight in concept.words.items():
        for language in LANGUAGES:
            stemmed = " ".join(stem(language, word) for word in term.split())
            kept = phrases if " " in stemmed else stems
            kept[stemmed] = max(kept.get(stemmed, 0.0), weight)
    return Concept(stems, phrases, concept.telling)


def _count(connection: sqlite3.Connection, term: str, last: int) -> int:
    """About how many of the chunks have a term: all are counted of a rare one; of another, it is
    estimated by how far back from the `last` text one goes to meet it so often."""
    rows = connection.execute(
        "SELECT rowid FROM chunk_words WHERE chunk_words MATCH ? ORDER BY rowid DESC LIMIT ?",
        (f'"{term}"', _COUNTED),
    ).fetchall()
    if not rows:
        return _named(connection, term)
    if len(rows) < _COUNTED:
        return len(rows)
    passed = last - (int(rows[-1][0]) >> PLACE_BITS) + 1
    return max(len(rows), len(rows) * last // passed)


def _named(connection: sqlite3.Connection, term: str) -> int:
    """Whether a term that no passage has is in a file's name: 1 or 0."""
    row = connection.execute("SELECT 1 FROM names WHERE names MATCH ? LIMIT 1", (f'"{term}"',))
    return int(row.fetchone() is not None)


def _within(connection: sqlite3.Connection, filters: Filters) -> str | None:
    """The condition that holds a query to the filters; "" without any, None when no file has
    passed them."""
    if filters == Filters():
        return ""
    where, values = _where(filters)
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS wanted (text INTEGER PRIMARY KEY)")
    connection.execute("DELETE FROM wanted")
    connection.execute(
        f"INSERT OR IGNORE INTO wanted SELECT text FROM files WHERE text IS NOT NULL{where}", values
    )
    first, last = connection.execute("SELECT min(text), max(text) FROM wanted").fetchone()
    if first is None:
        return None
    span = f"rowid BETWEEN {first << PLACE_BITS} AND {(last + 1) << PLACE_BITS}"
    return f" AND {span} AND (rowid >> {PLACE_BITS}) IN (SELECT text FROM wanted)"


def _where(filters: Filters) -> tuple[str, list[object]]:
    where, values = "", list[object]()
    if filters.types is not None:
        suffixes = sorted(f".{kind}" for kind in filters.types)
        where += f" AND suffix IN ({', '.join('?' * len(suffixes))})"
        values += suffixes
    if filters.since is not None:
        where += " AND mtime_ns >= ?"
        values.append(int(filters.since.timestamp()) * 1_000_000_000)
    if filters.before is not None:
        where += " AND mtime_ns < ?"
        values.append(int(filters.before.timestamp()) * 1_000_000_000)
    if filters.folder is not None:
        where += " AND path > ? AND path < ?"
        values += span_below(filters.folder)
    return where, values


def _candidates(
    connection: sqlite3.Connection, asked: Sequence[Rated], within: str
) -> dict[int, None]:
    """Chunks to rank: the best of those with all words that are asked for, then the newest with
    what means the same, all of it, then less of it, until there are enough."""
    chunks = dict.fromkeys(_by_name(connection, asked))
    enough = len(chunks) + _ENOUGH
    own = " AND ".join(_any_of(_own_terms(one)) for one in asked)
    chunks |= dict.fromkeys(_best(connection, own, within))
    for query in queries([_any_of(_terms(one)) for one in asked]):
        rows = connection.execute(
            f"SELECT rowid FROM chunk_words WHERE chunk_words MATCH ?{within}"
            f" ORDER BY rowid DESC LIMIT {_ENOUGH}",
            (query,),
        )
        chunks |= dict.fromkeys(row[0] for row in rows)
        if len(chunks) >= enough:
            break
    return chunks


def queries(concepts: Sequence[str]) -> Iterator[str]:
    """What FTS5 is asked in turn, given each concept as a query, the rarest first: all of them; all
    but any one; the rarest with any other; the rarest by itself, and so on. Pure."""
    if len(concepts) > 1:
        yield " AND ".join(concepts)
    if len(concepts) > 2:
        fewer = itertools.combinations(concepts, len(concepts) - 1)
        yield " OR ".join(f"({' AND '.join(some)})" for some in reversed(list(fewer)))
    if len(concepts) > 3:
        yield f"{concepts[0]} AND ({' OR '.join(concepts[1:])})"
    yield from concepts


def _best(connection: sqlite3.Connection, query: str, within: str) -> list[int]:
    """The best chunks, by BM25, of the newest that match."""
    rows = connection.execute(
        "SELECT rowid FROM (SELECT rowid, rank AS weight FROM chunk_words"
        f" WHERE chunk_words MATCH ?{within} ORDER BY rowid DESC LIMIT {_WEIGHED})"
        f" ORDER BY weight, rowid DESC LIMIT {_ENOUGH}",
        (query,),
    )
    return [row[0] for row in rows]


def _terms(one: Rated) -> list[str]:
    """The terms of a concept that say it best."""
    terms = {**one.concept.stems, **one.concept.words}
    return sorted(terms, key=lambda term: (-terms[term], term))[:_MOST_TERMS]


def _own_terms(one: Rated) -> list[str]:
    """Those that the question itself has, if any passage has one of them."""
    terms = {**one.concept.stems, **one.concept.words}
    return [term for term, weight in terms.items() if weight >= _OWN] or _terms(one)


def _any_of(terms: Sequence[str]) -> str:
    any_term = " OR ".join(f'"{term}"' for term in terms)
    return f"({any_term})"


def _by_name(connection: sqlite3.Connection, asked: Sequence[Rated]) -> list[int]:
    """The first chunks of the files whose names have most of what is asked."""
    any_concept = " OR ".join(_any_of(_own_terms(one)) for one in asked)
    rows = connection.execute(
        "SELECT text FROM (SELECT rowid, rank AS weight FROM names WHERE names MATCH ?"
        f" ORDER BY rowid DESC LIMIT {_WEIGHED}) AS named JOIN files ON files.id = named.rowid"
        f" WHERE text IS NOT NULL ORDER BY weight, text DESC LIMIT {_NAMED}",
        (any_concept,),
    )
    return [row[0] << PLACE_BITS for row in rows]


def _ranked(
    connection: sqlite3.Connection,
    asked: Sequence[Rated],
    candidates: Mapping[int, None],
    files: "_Files",
) -> list[int]:
    """The candidates, best first; the name of its file counts double, as headings do."""
    fits: dict[int, float] = {}
    for chunk in candidates:
        row = connection.execute("SELECT body FROM chunks WHERE id = ?", (chunk,)).fetchone()
        named = files.name_stems(chunk >> PLACE_BITS)
        if row is not None and named is not None:
            stems = f"{named} {named} {stems_of(row[0])}"
            fits[chunk] = fit(asked, ChunkWords(stems, stems))
    return sorted(fits, key=lambda chunk: (-fits[chunk], -chunk))


class _Files:
    """The files of texts, within the filters."""

    def __init__(self, connection: sqlite3.Connection, filters: Filters) -> None:
        self._connection = connection
        self._where, self._values = _where(filters)
        self._known: dict[int, list[tuple[str, int, int]]] = {}

    def of(self, text: int) -> list[tuple[str, int, int]]:
        """Path, size and time of each file with this text."""
        if text not in self._known:
            self._known[text] = self._connection.execute(
                f"SELECT path, size, mtime_ns FROM files WHERE text = ?{self._where} ORDER BY path",
                (text, *self._values),
            ).fetchall()
        return self._known[text]

    def name_stems(self, text: int) -> str | None:
        """The stems of its file's name; None where there is no such file."""
        files = self.of(text)
        return name_stems(files[0][0]) if files else None

    def found(self, chunk: int) -> Found | None:
        """The chunk as a passage, if a file that has it can be read now."""
        number = chunk >> PLACE_BITS
        there = [(*one, now) for one in self.of(number) if (now := _readable(one[0]))]
        if not there:
            return None
        name, size, mtime_ns, now = there[0]
        path = Path(name)
        body, title = self._connection.execute(
            "SELECT body, title FROM chunks, texts WHERE chunks.id = ? AND texts.id = ?",
            (chunk, number),
        ).fetchone()
        parts = Chunk.unpacked(body).parts
        place = Place("", str(path.parent), path.name)
        passage = Passage(chunk, number, place, title or path.stem, parts)
        return Found(
            passage,
            path,
            tuple(Path(one[0]) for one in there[1:]),
            datetime.fromtimestamp(mtime_ns / 1e9).astimezone(),
            (now.st_size, now.st_mtime_ns) != (size, mtime_ns),
        )


def _readable(path: str) -> os.stat_result | None:
    """What the file is now; None if it is gone, or this person may not read it."""
    try:
        now = Path(path).lstat()
    except OSError:
        return None
    return now if stat.S_ISREG(now.st_mode) and os.access(path, os.R_OK) else None
