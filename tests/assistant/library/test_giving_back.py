"""An action on a document's file itself, in the assistant: the changed file is put beside it."""

import io
import zipfile
from pathlib import Path
from typing import Any

import docx
import pytest

from archipel import config
from tests.assistant.actions.conftest import Ruled, text_in
from tests.assistant.library.conftest import Asking
from tests.assistant.library.project import Project
from tests.assistant.library.test_taking import project

__all__ = ["project"]


def back(asking: Asking, document: int, name: str = "correct", **fields: str) -> dict[str, Any]:
    """The whole answer to an action that is to give the file back."""
    action = {"name": name, "fields": fields, "document": document, "file": True}
    begun = asking.begin("", action=action)
    return asking.whole(begun["answers"][0]["id"])


def names(asking: Asking, collection: int) -> list[str]:
    found = asking.http.get(f"/api/collections/{collection}/documents").json()["documents"]
    return [one["name"] for one in found]


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    document = docx.Document()
    for text in ("The committee have met.", "It was short."):
        document.add_paragraph(text)
    document.save(str(tmp_path / "letter.docx"))
    return tmp_path / "letter.docx"


def test_the_changed_file_stands_beside_the_old_one_and_can_be_fetched(
    asking: Asking, ruled: Ruled, letter: Path
) -> None:
    collection = asking.collection()
    ruled.rule = lambda prompt: text_in(prompt).replace("have", "has")
    document = asking.add(collection, letter)["id"]
    answer = back(asking, document)
    assert answer["status"] == "done"
    made = answer["facts"]["made"]
    assert (made["name"], made["changed"], made["of"]) == ("letter.corrected.docx", 1, 2)
    assert (made["said"], made["left"]) == ([], [])
    assert answer["text"] == "The committee has met.\n\nIt was short."
    assert names(asking, collection) == ["letter.corrected.docx", "letter.docx"]
    file = asking.http.get(f"/api/documents/{made['document']}/file").content
    xml = zipfile.ZipFile(io.BytesIO(file)).read("word/document.xml").decode()
    assert "<w:delText>have</w:delText>" in xml
    assert asking.http.get(f"/api/documents/{document}/file").content == letter.read_bytes()
    assert back(asking, document)["facts"]["made"]["name"] == "letter.corrected 2.docx"
    assert len(names(asking, collection)) == 3


def test_what_is_to_be_looked_at_is_told_with_its_place(
    asking: Asking, ruled: Ruled, letter: Path
) -> None:
    ruled.rule = lambda prompt: "" if "short" in prompt else "Le comité s’est réuni 3 fois."
    document = asking.add(asking.collection(), letter)["id"]
    said = back(asking, document, "translate", target="fr")["facts"]["made"]["said"]
    assert [(one["anchor"]["paragraph"], one["code"], one["values"]) for one in said] == [
        (1, "numbers", ["3"]),
        (2, "empty", []),
    ]


def test_an_answer_that_was_stopped_goes_on_where_it_was(
    asking: Asking, ruled: Ruled, letter: Path
) -> None:
    ruled.rule = lambda prompt: text_in(prompt).replace("have", "has")
    document = asking.add(asking.collection(), letter)["id"]
    ruled.context = 0
    assert back(asking, document)["status"] == "failed"
    ruled.context = 1_000_000
    assert back(asking, document)["status"] == "done"
    assert len(ruled.prompts) == 2


def test_of_a_document_that_is_deleted_nothing_stays(asking: Asking, letter: Path) -> None:
    added = asking.add(asking.collection(), letter)
    folder = config.home() / "documents"
    (folder / f".progress-{added['digest']}").write_text("{}\n")  # of an answer that was stopped
    asking.http.get(f"/api/documents/{added['id']}/preview")
    assert len([path for path in folder.iterdir() if added["digest"] in path.name]) >= 2
    asking.http.delete(f"/api/documents/{added['id']}")
    assert [path for path in folder.iterdir() if added["digest"] in path.name] == []


def test_only_what_can_be_given_back_is_and_only_where_one_may_add(
    asking: Asking, ruled: Ruled, letter: Path, files: dict[str, Path]
) -> None:
    collection = asking.collection()
    document = asking.add(collection, letter)["id"]
    asked = {"conversation": None, "parent": None, "text": "", "models": ["island"]}
    action = {"name": "summarise", "document": document, "file": True}
    sent = asking.http.post("/api/questions", json={**asked, "action": action})
    assert (sent.status_code, "gives no file back" in sent.text) == (400, True)
    page = asking.send(collection, "page.html", b"<html><p>Some words.</p></html>").json()["id"]
    failed = back(asking, page)
    assert failed["status"] == "failed"
    assert "changed can be docx" in failed["facts"]["error"]["message"]


def test_who_may_only_read_a_collection_gets_no_file_put_into_it(
    project: Project, files: dict[str, Path]
) -> None:
    document = project.browsers["ana"].add(project.shared(), files["md"])["id"]
    action = {"name": "correct", "document": document, "file": True}
    asked = {"conversation": None, "parent": None, "models": ["island"], "action": action}
    assert project.call("ben", "POST", "questions", asked).status_code == 403
