"""With an embedding model, what means the same is found without a word in common."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archipel.documents.embedding import Embedder, embed_chunks
from archipel.documents.ingest import ingest
from archipel.documents.library import Library, Place, Scope
from archipel.documents.search import search
from archipel.errors import ModelError

NOW = datetime(2026, 11, 28, tzinfo=UTC)
TOPICS = (("leave", "urlaub"), ("invoice", "rechnung"), ("door", "tür"))
TEXTS = {
    "leave.md": "The leave is thirty days.",
    "invoice.md": "An invoice is due in a month.",
    "door.md": "The door closes at six.",
}


class Topics:
    """A tiny model: how often a text speaks of each topic, in English or German."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def embed(self, texts: list[str]) -> Sequence[Sequence[float]]:
        self.asked += texts
        return [
            [float(sum(text.lower().count(word) for word in topic)) + 0.01 for topic in TOPICS]
            for text in texts
        ]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    library = Library(tmp_path / "library.db")
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(text)
        asyncio.run(ingest(library, tmp_path / name, Place("ada", "work", name), NOW))
    return library


def found(
    library: Library, question: str, embedder: Embedder | None, owner: str = "ada"
) -> list[str]:
    passages = asyncio.run(search(library, question, [Scope(owner)], 2, embedder))
    return [passage.place.name for passage in passages]


def test_a_question_in_another_language(library: Library) -> None:
    embedder = Embedder("topics", Topics().embed)
    assert asyncio.run(embed_chunks(library, embedder)) == 3
    assert found(library, "Wieviel Urlaub gibt es?", None) == []
    assert found(library, "Wieviel Urlaub gibt es?", embedder)[0] == "leave.md"
    assert found(library, "Bis wann ist die Rechnung fällig?", embedder)[0] == "invoice.md"
    assert found(library, "Wieviel Urlaub gibt es?", embedder, owner="bob") == []


def test_only_what_is_new_is_embedded(library: Library, tmp_path: Path) -> None:
    model = Topics()
    embedder = Embedder("topics", model.embed, passage_prefix="passage: ")
    asyncio.run(embed_chunks(library, embedder))
    assert all(text.startswith("passage: ") for text in model.asked)
    model.asked.clear()
    assert asyncio.run(embed_chunks(library, embedder)) == 0
    (tmp_path / "door.md").write_text("The door is open.")
    place = Place("ada", "work", "door.md")
    asyncio.run(ingest(library, tmp_path / "door.md", place, NOW))
    assert asyncio.run(embed_chunks(library, embedder)) == 1
    assert model.asked == ["passage: door\nThe door is open."]


def test_another_model_embeds_all_again(library: Library) -> None:
    first, second = Embedder("one", Topics().embed), Embedder("two", Topics().embed)
    asyncio.run(embed_chunks(library, first))
    assert found(library, "Urlaub", second) == []  # the other model's vectors say nothing here
    assert asyncio.run(embed_chunks(library, second)) == 3
    assert found(library, "Urlaub", second)[0] == "leave.md"


def test_a_model_that_gives_no_vectors_is_named(library: Library) -> None:
    async def nothing(texts: list[str]) -> Sequence[Sequence[float]]:
        return [[float("nan")] for _ in texts]

    async def ragged(texts: list[str]) -> Sequence[Sequence[float]]:
        return [[1.0] * (1 + place) for place, _ in enumerate(texts)]

    for embed in (nothing, ragged):
        with pytest.raises(ModelError, match="'broken'"):
            asyncio.run(embed_chunks(library, Embedder("broken", embed)))
