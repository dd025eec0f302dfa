"""Documents, and the assistant over a service that answers by a rule of the test."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.assistant.actions.conftest import Doing, Ruled, ruled
from tests.assistant.conftest import Assistant
from tests.assistant.history.conftest import history, postgresql, url
from tests.documents.made import make_docx, make_pdf

__all__ = ["history", "postgresql", "ruled", "url"]

LEAVE = "Every keeper has twenty-eight days of paid leave a year."
LAMP = "La lampe du phare brûle quarante litres de pétrole par nuit."
BOAT = "The supply boat calls at the lighthouse every second Tuesday."


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """One of each kind that the tests ask about."""
    markdown = tmp_path / "boat.md"
    markdown.write_text(f"# Supplies\n\nBread is baked on site.\n\n{BOAT}\n")
    return {
        "docx": make_docx(
            tmp_path / "leave.docx",
            [("Heading 1", "Leave"), ("Normal", "Keepers rest too."), ("Normal", LEAVE)],
        ),
        "pdf": make_pdf(
            tmp_path / "lampe.pdf",
            [[("Le phare", 18)], [("La lampe", 18), ("", 12), (LAMP, 12)]],
        ),
        "md": markdown,
    }


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without documents."""
    monkeypatch.setenv("ARCHIPEL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@dataclass
class Asking(Doing):
    """Collections, documents and questions over HTTP."""

    def collection(self, name: str = "Lighthouse") -> int:
        response = self.http.post("/api/collections", json={"name": name})
        assert response.status_code == 200, response.text
        return int(response.json()["id"])

    def send(self, collection: int, name: str, data: bytes) -> httpx.Response:
        where = f"/api/collections/{collection}/documents"
        return self.http.post(where, content=data, headers={"X-File-Name": quote(name)})

    def add(self, collection: int, path: Path) -> dict[str, Any]:
        response = self.send(collection, path.name, path.read_bytes())
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        assert found["status"] == "ready", found
        return found

    def ask(self, text: str, *collections: int) -> dict[str, Any]:
        """The whole answer from documents."""
        begun = self.begin(text, documents=list(collections))
        return self.whole(begun["answers"][0]["id"])

    def place(self, citation: dict[str, Any], what: str = "place") -> httpx.Response:
        """What opening a citation asks for."""
        spans = ",".join("-".join(map(str, span)) for span in citation["spans"])
        where = f"/api/documents/{citation['document']}/{what}"
        return self.http.get(where, params={"spans": spans, "digest": citation["digest"]})


@pytest.fixture
def over_rule(own_home: Path, assistant_over: Callable[..., Assistant], ruled: Ruled) -> Assistant:
    """The assistant over the service."""
    return assistant_over(ruled.url)


@pytest.fixture
def asking(over_rule: Assistant) -> Iterator[Asking]:
    """Whoever asks it by HTTP."""
    with over_rule.client() as http:
        yield Asking(http)
