"""Actions done on documents: whose, how much of them, and what is kept of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.assistant.actions.conftest import Ruled, text_in
from tests.assistant.library.conftest import BOAT, LEAVE, Asking
from tests.assistant.library.project import Project, project_over


def on(asking: Asking, document: int, name: str = "translate", **fields: str) -> dict[str, Any]:
    """What the assistant says to an action on a document."""
    return asking.begin("", action={"name": name, "fields": fields, "document": document})


def test_a_text_is_taken_as_it_is_written_and_another_document_by_its_paragraphs(
    asking: Asking, ruled: Ruled, files: dict[str, Path]
) -> None:
    collection = asking.collection()
    begun = on(asking, asking.add(collection, files["md"])["id"], target="de")
    answer = asking.whole(begun["answers"][0]["id"])
    written = files["md"].read_text()
    assert text_in(ruled.prompts[0]) == written.strip()
    assert answer["text"] == written
    assert answer["facts"]["action"]["fields"]["target"] == "de"
    assert begun["conversation"]["title"] == "boat.md"
    assert begun["question"]["text"] == written
    taken = begun["question"]["facts"]["taken"]
    assert (taken["name"], taken["characters"], taken["all"]) == (
        ("boat.md", len(written), len(written))
    )
    begun = on(asking, asking.add(collection, files["docx"])["id"], "summarise", length="sentence")
    asking.whole(begun["answers"][0]["id"])
    assert text_in(ruled.prompts[1]) == f"Leave\n\nKeepers rest too.\n\n{LEAVE}"


def test_of_a_long_document_it_is_said_how_much_was_used(asking: Asking, ruled: Ruled) -> None:
    text = "\n\n".join([f"{number}. {BOAT}" for number in range(900)])
    document = asking.send(asking.collection(), "long.txt", text.encode()).json()["id"]
    ruled.rule = lambda _: "It is about boats."
    begun = on(asking, document, "explain")
    assert asking.whole(begun["answers"][0]["id"])["status"] == "done"
    taken, used = begun["question"]["facts"]["taken"], begun["question"]["text"]
    assert taken["all"] == len(text) > 40_000 >= taken["characters"] == len(used) > 39_000
    assert text.startswith(used + "\n\n")
    assert text_in(ruled.prompts[0]) == used


def test_parts_without_text_are_counted(asking: Asking) -> None:
    mail = (
        "From: ana@example.com\r\nSubject: Boats\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/mixed; boundary=B\r\n\r\n"
        f"--B\r\nContent-Type: text/plain\r\n\r\n{BOAT}\r\n"
        "--B\r\nContent-Type: text/plain\r\nContent-Disposition: attachment;"
        f' filename="terms.txt"\r\n\r\n{LEAVE}\r\n'
        "--B\r\nContent-Type: application/zip\r\nContent-Disposition: attachment;"
        ' filename="odd.bin"\r\n\r\nPK\x03\x04broken\r\n--B--\r\n'
    )
    document = asking.send(asking.collection(), "boats.eml", mail.encode()).json()["id"]
    question = on(asking, document)["question"]
    assert question["facts"]["taken"]["unread"] == 1
    assert question["text"].endswith(f"{BOAT}\n\nterms.txt\n\n{LEAVE}")


def test_what_is_asked_of_a_document_is_strict(asking: Asking, files: dict[str, Path]) -> None:
    collection = asking.collection()
    document = asking.add(collection, files["md"])["id"]
    empty = asking.send(collection, "empty.txt", b" ").json()["id"]
    asked = {"conversation": None, "parent": None, "text": "", "models": ["island"]}
    for status, beside in (
        (400, {}),
        (400, {"action": {"name": "translate"}}),
        (400, {"text": "x", "action": {"name": "translate", "document": document}}),
        (400, {"action": {"name": "picture", "document": document}}),
        (400, {"action": {"name": "sing", "document": document}}),
        (400, {"action": {"name": "translate", "document": empty}}),
        (400, {"action": {"name": "translate", "document": str(document)}}),
        (404, {"action": {"name": "translate", "document": 999_999}}),
    ):
        sent = asking.http.post("/api/questions", json={**asked, **beside})
        assert sent.status_code == status, (beside, sent.text)
    assert asking.http.get("/api/conversations").json()["conversations"] == []


@pytest.fixture
def project(own_home: Path, tmp_path: Path, ruled: Ruled) -> Iterator[Project]:
    """The people of a project."""
    with project_over(f"sqlite:///{tmp_path / 'assistant.db'}", ruled.url) as found:
        yield found


def test_a_document_is_taken_by_who_may_read_it_only(
    project: Project, files: dict[str, Path]
) -> None:
    document = project.browsers["ana"].add(project.shared(), files["md"])["id"]
    ben = project.browsers["ben"]
    begun = on(ben, document, target="de")
    assert BOAT in ben.whole(begun["answers"][0]["id"])["text"]
    action = {"name": "translate", "document": document}
    asked = {"conversation": None, "parent": None, "models": ["island"], "action": action}
    assert project.call("eve", "POST", "questions", asked).status_code == 404
    project.leave("ben")
    assert project.call("ben", "POST", "questions", asked).status_code == 404
    where = f"messages/{begun['question']['id']}/answers"
    again = project.call("ben", "POST", where, {"models": ["reef"]}).json()["answers"][0]
    assert BOAT in ben.whole(again["id"])["text"]  # what was taken is in one's conversation


def test_an_import_does_not_say_that_it_is_of_a_document(
    asking: Asking, files: dict[str, Path]
) -> None:
    begun = on(asking, asking.add(asking.collection(), files["md"])["id"])
    asking.whole(begun["answers"][0]["id"])
    where = f"/api/conversations/{begun['conversation']['id']}"
    written = asking.http.get(f"{where}/export?form=json").text
    asking.http.delete(where)
    headers = {"X-File-Name": "told.json"}
    asking.http.post("/api/import", content=written, headers=headers)
    [row] = asking.http.get("/api/conversations").json()["conversations"]
    question, _ = asking.http.get(f"/api/conversations/{row['id']}").json()["messages"]
    assert question["text"] == files["md"].read_text()
    assert {"action", "taken"} & {*question["facts"]} == {"action"}
