"""Vectors for chunks, by whatever model the caller embeds with: kept in the library, compared here.

Brute force over float16: exact, nothing to corrupt, some 10 ms for 20,000 chunks of 384 values.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archipel.documents.library import WITHIN, Library, Scope, scopes_json
from archipel.documents.passages import load_passages
from archipel.errors import ModelError

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Embedder:
    """A model: `embed` gives a vector for each text. `name` says which model, with all that changes
    its vectors; some models want a prefix before questions and before passages."""

    name: str
    embed: Callable[[list[str]], Awaitable[Sequence[Sequence[float]]]]
    question_prefix: str = ""
    passage_prefix: str = ""


async def embed_chunks(library: Library, embedder: Embedder, batch: int = 32) -> int:
    """Give every chunk that has no vector of this model one; returns how many.

    What is done is kept when the model fails half way.

    Raises:
        ModelError: the model's vectors are not of one length, or not finite numbers.
    """
    done = 0
    while waiting := await asyncio.to_thread(_waiting, library, embedder.name, batch):
        texts = [embedder.passage_prefix + text for text in waiting.values()]
        vectors = checked(embedder, await embedder.embed(texts), len(texts))
        await asyncio.to_thread(_keep, library, embedder.name, list(waiting), vectors)
        done += len(waiting)
    return done


async def question_vector(embedder: Embedder, question: str) -> Vectors:
    """The question as a vector of length 1.

    Raises:
        ModelError: the model's vector is no list of finite numbers.
    """
    given = await embedder.embed([embedder.question_prefix + question])
    vector: Vectors = checked(embedder, given, 1)[0]
    return vector


def nearest(
    connection: sqlite3.Connection,
    embedder: Embedder,
    vector: Vectors,
    scopes: Sequence[Scope],
    limit: int,
) -> list[int]:
    """The ids of the chunks within the scopes whose vectors of this model are nearest, in order."""
    rows = connection.execute(
        "SELECT chunk, vector FROM vectors JOIN chunks ON chunks.id = vectors.chunk"
        " JOIN documents ON documents.id = chunks.document"
        f" WHERE model = :model AND dimension = :dimension AND {WITHIN}",
        {"model": embedder.name, "dimension": len(vector), "scopes": scopes_json(scopes)},
    ).fetchall()
    if not rows:
        return []
    matrix = np.frombuffer(b"".join(row[1] for row in rows), np.float16).reshape(len(rows), -1)
    likeness = matrix.astype(np.float32) @ vector
    return [rows[place][0] for place in np.argsort(-likeness, kind="stable")[:limit]]


def checked(embedder: Embedder, given: Sequence[Sequence[float]], count: int) -> Vectors:
    """`count` vectors of length 1, from what a model gave.

    Raises:
        ModelError: they are not `count` rows of one length, or not finite numbers.
    """
    try:
        vectors = np.asarray(given, np.float32)
    except (TypeError, ValueError):
        vectors = np.empty(0, np.float32)
    if vectors.ndim != 2 or len(vectors) != count or not np.isfinite(vectors).all():
        raise ModelError(
            f"the embedding model {embedder.name!r} gave no {count} vectors of finite numbers. "
            "Take another model, or search without one."
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    whole: Vectors = vectors / np.maximum(lengths, 1e-12)
    return whole


def _waiting(library: Library, model: str, batch: int) -> dict[int, str]:
    with library.connected() as connection:
        rows = connection.execute(
            "SELECT chunks.id FROM chunks LEFT JOIN vectors ON vectors.chunk = chunks.id"
            " AND vectors.model = ? WHERE vectors.chunk IS NULL ORDER BY chunks.id LIMIT ?",
            (model, batch),
        ).fetchall()
        passages = load_passages(connection, [row[0] for row in rows])
    return {one.chunk: f"{one.searched.above}\n{one.searched.below}" for one in passages}


def _keep(library: Library, model: str, chunks: list[int], vectors: Vectors) -> None:
    """Keep vectors, but for chunks that were removed while the model worked."""
    with library.connected(writes=True) as connection:
        for chunk, vector in zip(chunks, vectors, strict=True):
            connection.execute(
                "INSERT OR REPLACE INTO vectors (chunk, model, dimension, vector)"
                " SELECT id, ?, ?, ? FROM chunks WHERE id = ?",
                (model, len(vector), vector.astype(np.float16).tobytes(), chunk),
            )
