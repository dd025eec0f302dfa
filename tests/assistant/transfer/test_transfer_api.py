"""Export and import over HTTP."""

import io
import json
import socket
import threading
import zipfile
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from archipel.assistant.api import transfer
from tests.assistant.transfer import exports
from tests.assistant.transfer.exports import zipped


def lines(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


def test_in_and_out(asking: httpx.Client) -> None:
    data = zipped({"conversations.json": [exports.lake(), exports.workshop()]})
    headers = {"X-File-Name": "Donn%C3%A9es.zip"}
    events = lines(asking.post("/api/import", content=data, headers=headers))
    assert [event["kind"] for event in events] == ["conversation"] * 2 + ["file", "end"]
    assert events[-1]["imported"] == 2
    id_ = events[0]["conversation"]

    found = asking.get(f"/api/conversations/{id_}/export")
    assert found.headers["content-type"] == "text/markdown; charset=utf-8"
    assert found.headers["content-disposition"].startswith('attachment; filename="2025-06-15-Le')
    assert "Au sud." in found.text
    tree = asking.get(f"/api/conversations/{id_}/export", params={"form": "json"})
    assert len(tree.json()["messages"]) == 5
    archive = zipfile.ZipFile(io.BytesIO(asking.get("/api/export").content))
    assert archive.testzip() is None
    assert len(archive.namelist()) == 5

    name = {"X-File-Name": "lake.json"}
    again = lines(asking.post("/api/import", content=tree.content, headers=name))
    assert again[-1]["there"] == 1
    assert again[-2]["file"] == "lake.json"


def test_what_is_refused(asking: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asking.get("/api/conversations/99/export").status_code == 404
    assert asking.get("/api/conversations/99/export?form=exe").status_code == 400
    elsewhere = {"Origin": "https://example.org"}
    assert asking.post("/api/import", content=b"[]", headers=elsewhere).status_code == 403
    monkeypatch.setattr(transfer, "FILE_BYTES", 1000)
    assert asking.post("/api/import", content=b" " * 1001).status_code == 413
    streamed = asking.post("/api/import", content=iter([b" " * 600] * 2))
    assert (streamed.status_code, streamed.json()["error"]["code"]) == (413, "too_large")
    assert lines(asking.post("/api/import", content=b"[]"))[-1]["kind"] == "end"


def test_a_file_of_3_gigabytes_is_refused_before_it_is_sent(asking: httpx.Client) -> None:
    url = asking.base_url
    head = (
        f"POST /api/import HTTP/1.1\r\nHost: {url.netloc.decode()}\r\n"
        f"Origin: {str(url).rstrip('/')}\r\nContent-Length: 3000000000\r\n\r\n"
    )
    with socket.create_connection((url.host, url.port or 80), timeout=20) as connection:
        connection.sendall(head.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_one_import_at_a_time_and_one_that_is_left_makes_room(asking: httpx.Client) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> Iterator[bytes]:
        yield b"[" + json.dumps(exports.lake()).encode()
        begun.set()
        go_on.wait(5)
        yield b"]"

    answers: list[httpx.Response] = []

    def send() -> None:  # again where one of those that ask below was there first
        while not answers or answers[-1].status_code == 409:
            answers.append(asking.post("/api/import", content=slow()))

    sending = threading.Thread(target=send)
    sending.start()
    assert begun.wait(20)
    # What was sent may not have arrived yet: ask until the first is known to be there.
    refused = asking.post("/api/import", content=b"[]")
    while refused.status_code == 200:
        refused = asking.post("/api/import", content=b"[]")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "busy")
    go_on.set()
    sending.join()
    assert lines(answers[-1])[-1]["imported"] == 1
    assert lines(asking.post("/api/import", content=b"[]"))[-1]["kind"] == "end"
