"""Questions to passages: by words and stems, and by meaning where there is an embedding model.

Any text is a question: nothing in it is taken for syntax.
"""

import asyncio
import sqlite3
from collections.abc import Sequence

from archipel.documents.embedding import Embedder, Vectors, nearest, question_vector
from archipel.documents.library import WITHIN, Library, Scope, scopes_json
from archipel.documents.passages import Passage, load_passages
from archipel.documents.words import stems, telling_words

_QUESTION_CHARACTERS = 4_000
_QUESTION_WORDS = 48
_WORD_WEIGHT, _STEM_WEIGHT = 1.0, 1.0
_CANDIDATES = 50
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
    """The ids of the chunks that share words or stems with the question, best first."""
    asked = full_text_query(question)
    if not asked:
        return []
    rows = connection.execute(
        "SELECT chunk_words.rowid FROM chunk_words JOIN chunks ON chunks.id = chunk_words.rowid"
        " JOIN documents ON documents.id = chunks.document"
        f" WHERE chunk_words MATCH :asked AND {WITHIN}"
        f" ORDER BY bm25(chunk_words, {_WORD_WEIGHT}, {_STEM_WEIGHT}), chunk_words.rowid"
        f" LIMIT {_CANDIDATES}",
        {"asked": asked, "scopes": scopes_json(scopes)},
    ).fetchall()
    return [row[0] for row in rows]


def full_text_query(question: str) -> str:
    """What FTS5 is asked: any of the telling words or of their stems, each quoted; "" for none."""
    words = telling_words(question[:_QUESTION_CHARACTERS])[:_QUESTION_WORDS]
    if not words:
        return ""
    any_word = " OR ".join(f'"{word}"' for word in words)
    any_stem = " OR ".join(f'"{stem}"' for stem in dict.fromkeys(stems(words)))
    return f"words : ({any_word}) OR stems : ({any_stem})"


def fused(rankings: Sequence[Sequence[int]]) -> list[int]:
    """Several rankings as one, by the sum of 1 / (60 + rank)."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, chunk in enumerate(ranking, 1):
            scores[chunk] = scores.get(chunk, 0.0) + 1 / (_FUSION + rank)
    return sorted(scores, key=lambda chunk: (-scores[chunk], chunk))
