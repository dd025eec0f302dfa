"""What nobody may, at each call that there is, whatever is added: the application's own list of
routes says which there are."""

import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from archipel.assistant.app import create_app
from archipel.assistant.desk import Desk
from archipel.assistant.history import memories, pictures
from archipel.assistant.history.memories import Found
from archipel.assistant.history.opened import open_history
from archipel.assistant.history.pictures import Made
from archipel.assistant.picture_files import read_picture
from archipel.chat import ChatService
from tests.assistant.actions.conftest import png
from tests.assistant.conftest import Assistant
from tests.assistant.library.conftest import own_home

__all__ = ["own_home"]

EVIL = "https://evil.example"
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "/api/conversations/{id:int}"): {"title": "theirs"},
    ("POST", "/api/conversations/{id:int}/fork"): {"message": 2},
    ("POST", "/api/messages/{id:int}/answers"): {"models": ["island"]},
    ("PATCH", "/api/folders/{id:int}"): {"name": "theirs"},
    ("PATCH", "/api/memories/{id:int}"): {"text": "theirs"},
    ("PATCH", "/api/collections/{id:int}"): {"name": "theirs"},
    ("PUT", "/api/collections/{id:int}/share"): {"project": "theirs"},
}


@dataclass
class Own:
    """What a person has, each with the number 1; of messages the question 1 and the answer 2."""

    http: httpx.Client
    assistant: Assistant
    calls: list[tuple[str, str]]

    def call(self, method: str, path: str, **headers: str) -> httpx.Response:
        """One of the calls, for what the person has."""
        sent = {"X-File-Name": "mine.md", **headers}
        where = path.replace("{id:int}", "1").replace("{token}", "x") + "?spans=0-0-1"
        return self.http.request(method, where, json=BODIES.get((method, path)), headers=sent)

    def look(self) -> list[Any]:
        """All that there is to see of it."""
        return [
            self.http.get(path).text
            for path in (
                *("/api/conversations", "/api/conversations/1", "/api/folders", "/api/memories"),
                *("/api/collections", "/api/collections/1/documents", "/api/preferences"),
            )
        ]


@pytest.fixture
def own(own_home: Path, assistant: Assistant, tmp_path: Path) -> Iterator[Own]:
    """The things of a person."""
    desk = Desk(open_history(f"sqlite:///{tmp_path / 'list.db'}"), lambda: 0.0)
    routes = create_app(ChatService("http://127.0.0.1:9/v1"), desk).routes
    desk.close()
    calls = [
        (method, route.path)
        for route in routes
        if isinstance(route, Route)
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]
    assert assistant.tell("Mine", "Yes.", title="Mine") == 1
    with assistant.database.writing() as connection:
        found = Found(text="Lives on an island.", origin="I live on an island.", message=1)
        memories.add(connection, "local", found, 1.0)
        made = Made(message=2, prompt="mine", seed=1)
        pictures.add(connection, "local", read_picture(png()), 1.0, made)
    with assistant.client() as http:
        for kind in ("folders", "collections"):
            assert http.post(f"/api/{kind}", json={"name": "Mine"}).json()["id"] == 1
        sent = {"X-File-Name": "mine.md"}
        where = "/api/collections/1/documents"
        assert http.post(where, content=b"# Mine\n\nWords.", headers=sent).json()["id"] == 1
        yield Own(http, assistant, calls)


def test_what_is_anothers_is_not_there_by_its_number(own: Own) -> None:
    calls = [(method, path) for method, path in own.calls if "{id:int}" in path]
    assert len(calls) > 20
    assert BODIES.keys() <= set(calls)
    before = own.look()
    own.assistant.owner[0] = "somebody else"
    for method, path in calls:
        answer = own.call(method, path)
        assert answer.status_code == 404, (method, path, answer.text)
        assert answer.json()["error"]["code"] == "not_found", (method, path)
    own.assistant.owner[0] = "local"
    assert own.look() == before
    for method, path in calls:
        if method == "GET" and not any(one in path for one in ("page", "preview", "shared")):
            assert own.call(method, path).status_code == 200, path


@pytest.mark.parametrize(
    "headers",
    [{"Origin": EVIL}, {"Origin": "null"}, {"Origin": ""}, {"Origin": "http://127.0.0.1"}],
)
def test_another_site_changes_nothing(own: Own, headers: dict[str, str]) -> None:
    before = own.look()
    changes = [(method, path) for method, path in own.calls if method != "GET"]
    assert len(changes) > 20
    for method, path in changes:
        answer = own.call(method, path, **headers)
        assert answer.status_code == 403, (method, path, answer.text)
        assert answer.json()["error"]["code"] == "forbidden"
    assert own.look() == before


def test_a_document_is_given_to_be_saved_whatever_is_in_it(own: Own) -> None:
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><text>Words</text></svg>"
    for name, data in (("x.svg", svg), ("x.html", b"<script>alert(1)</script><p>Words.")):
        sent = {"X-File-Name": name}
        where = "/api/collections/1/documents"
        document = own.http.post(where, content=data, headers=sent).json()
        given = own.http.get(f"/api/documents/{document['id']}/file")
        assert given.content == data
        assert given.headers["content-type"] == "application/octet-stream"
        assert given.headers["content-disposition"].startswith("attachment")
        assert given.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in given.headers["content-security-policy"]


def test_a_title_names_no_path_and_breaks_no_header(own: Own) -> None:
    for title in ("../../etc/passwd", 'x"\r\nSet-Cookie: a=b', "C:\\con", "é" * 200, "<img src=x>"):
        own.http.patch("/api/conversations/1", json={"title": title})
        saved = own.http.get("/api/conversations/1/export")
        assert saved.status_code == 200
        assert "set-cookie" not in saved.headers
        name = saved.headers["content-disposition"]
        assert "/" not in name.replace("UTF-8''", "")
        assert "\\" not in name
        assert ".." not in name


def flooded(own: Own, path: str, length: int) -> tuple[int, int]:
    """The answer's status to so many zeros, sent until there is one; and how many that took."""
    url = own.http.base_url
    head = [
        f"POST {path} HTTP/1.1",
        f"Host: {url.netloc.decode()}",
        f"Origin: {str(url).rstrip('/')}",
        "X-File-Name: x.zip",
        f"Content-Length: {length}",
    ]
    with socket.create_connection((url.host, url.port or 80), timeout=20) as connection:
        connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        sent, block = 0, bytes(1 << 18)
        while sent < length and not select.select([connection], [], [], 0)[0]:
            sent += connection.send(block)
        return int(connection.recv(64).split()[1]), sent


@pytest.mark.parametrize(
    "path", ["/api/questions", "/api/pictures", "/api/import", "/api/collections/1/documents"]
)
def test_gigabytes_are_refused_while_they_come(own: Own, path: str) -> None:
    status, sent = flooded(own, path, 3 << 30)
    assert status == 413
    assert sent < 64 << 20
