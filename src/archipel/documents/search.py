"""Questions to passages: by words and stems, and by meaning where there is an embedding model.

Any text is a question: nothing in it is taken for syntax.
"""

import asyncio
import json
import sqlite3
from collections.abc import Sequence

from archipel.documents.concepts import (
    ChunkWords,
    Concept,
    Rated,
    chunk_words,
    concepts_of,
    fit,
    rated,
)
from archipel.documents.embedding import Embedder, Vectors, nearest, question_vector
from archipel.documents.library import WITHIN, Library, Scope, scopes_json
from archipel.documents.passages import Passage, load_passages

_CANDIDATES = 100
_LOOKED_INTO, _SECTION_SHARE = 12, 0.5
_FUSION = 60  # the constant of reciprocal rank fusion, as in its paper (Cormack 2009)


async def search(
    library: Library,
    question: str,
    scopes: Sequence[Scope],
    limit: int = 8,
    embedder: Embedder | None = None,
) -> list[Passage]:
    """The passages within the scopes that fit the question best, at most `limit`, best first.

    Raises:
        DatabaseError: the library can't be read.
        ModelError: the embedding model gave no vector.
    """
    vector = await question_vector(embedder, question) if embedder else None
    return await asyncio.to_thread(_search, library, question, scopes, limit, (embedder, vector))


def _search(
    library: Library,
    question: str,
    scopes: Sequence[Scope],
    limit: int,
    meaning: tuple[Embedder | None, Vectors | None],
) -> list[Passage]:
    embedder, vector = meaning
    with library.connected() as connection:
        ranking = by_words(connection, question, scopes)
        if embedder is not None and vector is not None:
            near = nearest(connection, embedder, vector, scopes, _CANDIDATES)
            ranking = fused([ranking, near])
        return load_passages(connection, ranking[:limit])


def by_words(connection: sqlite3.Connection, question: str, scopes: Sequence[Scope]) -> list[int]:
    """The ids of the chunks that fit the question's concepts, best first: FTS5 finds those that
    have most of its terms, `concepts.fit` ranks them, and the first ones once more, as what is
    asked together mostly stands in one section."""
    asked = rated_in(connection, concepts_of(question))
    query = full_text_query(asked)
    if not query:
        return []
    rows = connection.execute(
        "SELECT chunk_words.rowid, words, stems FROM chunk_words"
        " JOIN chunks ON chunks.id = chunk_words.rowid"
        " JOIN documents ON documents.id = chunks.document"
        f" WHERE chunk_words MATCH :asked AND {WITHIN}"
        f" ORDER BY bm25(chunk_words), chunk_words.rowid LIMIT {_CANDIDATES}",
        {"asked": query, "scopes": scopes_json(scopes)},
    ).fetchall()
    fits = {row[0]: fit(asked, ChunkWords(row[1], row[2])) for row in rows}
    ranking = sorted(fits, key=lambda chunk: (-fits[chunk], chunk))
    for passage in load_passages(connection, ranking[:_LOOKED_INTO]):
        sections = (fit(asked, chunk_words(section)) for section in passage.sections)
        fits[passage.chunk] += _SECTION_SHARE * max(sections)
    first = sorted(ranking[:_LOOKED_INTO], key=lambda chunk: (-fits[chunk], chunk))
    return first + ranking[_LOOKED_INTO:]


def full_text_query(asked: Sequence[Rated]) -> str:
    """What FTS5 is asked: any term of any concept, each quoted; nothing if there is none."""
    words = dict.fromkeys(term for one in asked for term in one.concept.words)
    stems = dict.fromkeys(term for one in asked for term in one.concept.stems)
    columns = []
    for column, terms in (("words", words), ("stems", stems)):
        if terms:
            any_term = " OR ".join(f'"{term}"' for term in terms)
            columns.append(f"{column} : ({any_term})")
    return " OR ".join(columns)


def rated_in(connection: sqlite3.Connection, concepts: Sequence[Concept]) -> list[Rated]:
    """The concepts with their rarities in this library; phrases count as in no chunk."""
    total = connection.execute("SELECT count(*) FROM chunks").fetchone()[0]
    terms = {
        word
        for concept in concepts
        for term in (*concept.stems, *concept.words)
        for word in term.split()
    }
    having = connection.execute(
        "SELECT term, doc FROM vocabulary WHERE term IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(terms)),),
    ).fetchall()
    return rated(concepts, total, dict(having))


def fused(rankings: Sequence[Sequence[int]]) -> list[int]:
    """Several rankings as one, by the sum of 1 / (60 + rank)."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, chunk in enumerate(ranking, 1):
            scores[chunk] = scores.get(chunk, 0.0) + 1 / (_FUSION + rank)
    return sorted(scores, key=lambda chunk: (-scores[chunk], chunk))
