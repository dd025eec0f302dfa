"""Files that are added, listed, replaced and deleted, and those that are refused."""

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import inspect

from archipel.assistant.history import tables
from archipel.assistant.library import collections, documents
from archipel.assistant.people import Person
from archipel.database import Database
from archipel.errors import ConfigError, NotFound
from tests.assistant.actions.conftest import Ruled
from tests.assistant.library.conftest import BOAT, Asking

HOSTILE = "<img src=x onerror=alert(1)>.md"


def kept(home: Path) -> list[Path]:
    """The files of documents."""
    return [path for path in (home / "documents").iterdir() if len(path.name) == 64]


def test_a_file_is_kept_for_its_owner_only_and_goes_with_its_last_document(
    asking: Asking, own_home: Path, files: dict[str, Path]
) -> None:
    one, other = asking.collection("One"), asking.collection("Other")
    first, second = asking.add(one, files["md"]), asking.add(other, files["md"])
    [path] = kept(own_home)
    assert (path.name, path.read_bytes()) == (first["digest"], files["md"].read_bytes())
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert asking.http.delete(f"/api/documents/{first['id']}").status_code == 204
    assert kept(own_home) == [path]
    assert asking.http.delete(f"/api/collections/{other}").status_code == 204
    assert kept(own_home) == []
    assert asking.http.get(f"/api/documents/{second['id']}/file").status_code == 404
    assert [one["name"] for one in asking.http.get("/api/collections").json()["collections"]] == [
        "One"
    ]


def test_a_document_of_the_same_name_takes_the_place(
    asking: Asking, ruled: Ruled, own_home: Path
) -> None:
    collection = asking.collection()
    before = asking.send(collection, "boat.md", BOAT.encode()).json()
    ruled.rule = lambda _: f'"{BOAT}" [1]'
    [citation] = asking.ask("When does the boat call?", collection)["facts"]["citations"]
    after = asking.send(collection, "boat.md", b"The boat is sold.").json()
    assert (after["id"], len(kept(own_home))) == (before["id"], 1)
    refused = asking.place(citation)
    assert (refused.status_code, refused.json()["error"]["code"]) == (410, "document_changed")
    answer = asking.ask("When does the boat call?", collection)
    assert answer["facts"]["unverified"] == 1


def test_names_are_text_and_never_paths(asking: Asking, own_home: Path) -> None:
    collection = asking.collection()
    names = [
        HOSTILE,
        "../../etc/passwd.txt",
        "..\\..\\win.md",
        "a\n\x1b[31mb.md",
        "x" * 300 + ".md",
    ]
    told = [asking.send(collection, name, BOAT.encode()).json()["name"] for name in names]
    assert told[:3] == [HOSTILE, "passwd.txt", "win.md"]
    assert told[3].isprintable()
    assert (len(told[4]), told[4][-3:]) == (200, ".md")
    assert len(kept(own_home)) == 1  # the same bytes
    for name in ("", "..", "a/"):
        assert asking.send(collection, name, b"x").status_code in (200, 400)
    assert {path.parent for path in own_home.parent.rglob("*.md")} == set()


def test_why_a_file_cannot_be_read_is_kept_with_it(asking: Asking, files: dict[str, Path]) -> None:
    collection = asking.collection()
    asking.send(collection, "boat.md", files["md"].read_bytes())
    broken = asking.send(collection, "boat.md", b"%PDF-1.4\nbroken").json()
    empty = asking.send(collection, "empty.txt", b"  \n").json()
    assert (broken["status"], broken["problem"]["code"]) == ("failed", "corrupt")
    assert empty["problem"]["code"] == "empty"
    assert "Check that it is the right file" in empty["problem"]["message"]
    found = asking.http.get(f"/api/collections/{collection}/documents").json()["documents"]
    assert [(one["name"], one["status"]) for one in found] == [
        ("boat.md", "failed"),
        ("empty.txt", "failed"),
    ]
    assert asking.ask("When does the boat call?", collection)["status"] == "failed"


def test_two_gigabytes_are_refused_before_they_are_sent(asking: Asking, own_home: Path) -> None:
    collection = asking.collection()
    url = urlsplit(str(asking.http.base_url))
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        head = [
            f"POST /api/collections/{collection}/documents HTTP/1.1",
            f"Host: {url.netloc}",
            f"Origin: http://{url.netloc}",
            "X-File-Name: big.pdf",
            f"Content-Length: {2 << 30}",
            "",
            "",
        ]
        connection.sendall("\r\n".join(head).encode())
        assert connection.recv(64).startswith(b"HTTP/1.1 413 ")

    def chunks() -> object:
        for _ in range(65):
            yield b"\0" * (1 << 20)

    where = f"/api/collections/{collection}/documents"
    sent = asking.http.post(where, content=chunks(), headers={"X-File-Name": "big.txt"})  # type: ignore[arg-type]
    assert (sent.status_code, sent.json()["error"]["code"]) == (413, "document_too_large")
    assert list((own_home / "documents").glob(".arriving-*")) == []


def test_one_file_at_a_time(asking: Asking, files: dict[str, Path]) -> None:
    collection = asking.collection()
    data = files["pdf"].read_bytes()
    with ThreadPoolExecutor() as pool:
        sent = [pool.submit(asking.send, collection, f"{n}.pdf", data) for n in range(4)]
        statuses = [one.result().status_code for one in sent]
    assert 200 in statuses
    assert set(statuses) <= {200, 409}
    assert asking.send(collection, "5.pdf", data).status_code == 200


def test_another_site_can_neither_add_nor_delete(asking: Asking) -> None:
    collection = asking.collection()
    asking.http.headers["Origin"] = "https://evil.example"
    assert asking.send(collection, "x.md", b"# x").status_code == 403
    assert asking.http.delete(f"/api/collections/{collection}").status_code == 403


@pytest.mark.parametrize("spans", ["", "1", "1-2", "a-b-c", "0-0-1,", "1-0-1;2", "0-0-1,999-0-1"])
def test_places_are_strict(asking: Asking, spans: str) -> None:
    collection = asking.collection()
    document = asking.send(collection, "boat.md", BOAT.encode()).json()["id"]
    where = f"/api/documents/{document}/place"
    assert asking.http.get(where, params={"spans": spans}).status_code == 400
    assert asking.http.get(f"/api/documents/{document}/page?spans=0-0-1").status_code == 404


def test_rows_in_both_databases(history: Database) -> None:
    ada, eve = Person("ada", "ada"), Person("eve", "eve")
    with history.writing() as connection:
        made = collections.make(connection, ada, "Lighthouse")
        collections.make(connection, eve, "Lighthouse")
        with pytest.raises(ConfigError, match="already"):
            collections.make(connection, ada, " Lighthouse ")
        row, before = documents.begin(connection, made, "a.md", "0" * 64, 5, 1.0)
        assert (row.status, before) == ("reading", None)
        documents.end(connection, row.id, "ready", None)
    with history.writing() as connection:
        assert list(documents.ready(connection, ada, [made.id])) == [(str(made.id), "a.md")]
        assert documents.ready(connection, eve, [made.id]) == {}
        with pytest.raises(NotFound):
            documents.find(connection, eve, row.id)
        again, before = documents.begin(connection, made, "a.md", "1" * 64, 6, 2.0)
        assert (again.id, before) == (row.id, "0" * 64)
        documents.cut_off(connection)
        found = documents.find(connection, ada, row.id)
        assert (found.status, found.problem and found.problem["code"]) == ("failed", "cut_off")
        for table in (tables.documents, tables.collections):
            columns = {one["name"] for one in inspect(connection).get_columns(table.name)}
            assert columns == set(table.c.keys())
