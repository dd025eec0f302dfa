"""Documents that are found by meaning, where the service has a model for it in the house."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.assistant.actions.conftest import Ruled
from tests.assistant.library.conftest import Asking
from tests.serve.scripted import hosted_in_thread


@dataclass
class Embedding(Ruled):
    """A service whose model `sense` knows what speaks of ships; `place` is where it runs."""

    place: str = "machine"
    embedded: list[str] = field(default_factory=list)
    broken: bool = False

    async def models(self, request: Request) -> Response:
        sense = {"id": "sense", "abilities": ["embeddings"], "place": self.place}
        return JSONResponse({"data": [{"id": "island"}, sense]})

    async def embeddings(self, request: Request) -> Response:
        body = await request.json()
        assert body["model"] == "sense"
        if self.broken:
            return JSONResponse({"error": {"message": "broken"}}, 500)
        self.embedded += body["input"]
        vectors = [[float("vessel" in one or "ketch" in one), 0.5] for one in body["input"]]
        data = [{"index": at, "embedding": vector} for at, vector in enumerate(vectors)]
        return JSONResponse({"data": data[::-1]})


@pytest.fixture
def ruled() -> Iterator[Embedding]:
    """The service."""
    found = Embedding()
    routes = [
        Route("/v1/models", found.models),
        Route("/v1/chat/completions", found.chat, methods=["POST"]),
        Route("/v1/embeddings", found.embeddings, methods=["POST"]),
    ]
    with hosted_in_thread(Starlette(routes=routes)) as url:
        found.url = f"{url}/v1"
        yield found


def add(asking: Asking, folder: Path) -> int:
    collection = asking.collection()
    for name, text in (("a.md", "The ketch has two masts."), ("b.md", "Bread is baked here.")):
        path = folder / name
        path.write_text(text)
        asking.add(collection, path)
    return collection


def test_what_has_other_words_is_found(asking: Asking, ruled: Embedding, tmp_path: Path) -> None:
    collection = add(asking, tmp_path)
    until = time.monotonic() + 10
    while sum("ketch" in one or "Bread" in one for one in ruled.embedded) < 2:
        assert time.monotonic() < until
        asking.http.get("/api/models")
    ruled.rule = lambda _: '"The ketch has two masts." [1]'
    answer = asking.ask("vessel?", collection)
    assert [one["name"] for one in answer["facts"]["citations"]] == ["a.md"]
    ruled.broken = True
    assert asking.ask("two masts?", collection)["facts"]["citations"]


def test_no_document_goes_to_a_supplier(asking: Asking, ruled: Embedding, tmp_path: Path) -> None:
    ruled.place = "supplier"
    collection = add(asking, tmp_path)
    assert asking.ask("vessel?", collection)["facts"]["absent"]
    assert ruled.embedded == []
