"""Files through OpenAI's client, and uploads that are no good."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import openai
import pytest

from archipel.database import Database
from archipel.serve.batches.files import Files
from archipel.serve.setting_tables import FilesTable
from archipel.store import Store
from tests.serve.accounts.batches.desk import Clock, Desk, Supplier, begin, line, open_desk
from tests.serve.accounts.conftest import add_key

_SQLITE = pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # where it makes no difference
_BOUNDARY = "edge"
_FORM = f"multipart/form-data; boundary={_BOUNDARY}"


@pytest.fixture
def desk(accounts: Database, supply: tuple[Supplier, str], tmp_path: Path) -> Iterator[Desk]:
    limits = {"file_megabytes": 6, "project_gigabytes": 0.012, "keep_days": 2, "seconds": 1.0}
    with open_desk(accounts, supply[1], tmp_path / "files", **limits) as opened:
        yield opened


def _part(name: str, value: bytes, filename: str | None = None) -> bytes:
    its = f'name="{name}"' + (f'; filename="{filename}"' if filename else "")
    return (
        f"--{_BOUNDARY}\r\nContent-Disposition: form-data; {its}\r\n\r\n".encode() + value + b"\r\n"
    )


_END = f"--{_BOUNDARY}--\r\n".encode()
_WHOLE = _part("purpose", b"batch") + _part("file", b"{}", "a.jsonl") + _END


def _post(desk: Desk, body: Any, content_type: str = _FORM) -> httpx.Response:
    headers = {"Authorization": f"Bearer {add_key(desk.accounts)}", "Content-Type": content_type}
    return httpx.post(f"{desk.url}/v1/files", content=body, headers=headers, timeout=20)


def test_a_file_is_kept_as_it_came(desk: Desk) -> None:
    data = bytes(range(256)) * 20_000  # several pieces
    with desk.client(add_key(desk.accounts)) as client:
        file = client.files.create(file=("Ärger.bin", data), purpose="user_data")
        assert (file.bytes, file.filename, file.purpose) == (len(data), "Ärger.bin", "user_data")
        assert file.expires_at == file.created_at + 2 * 24 * 3600
        assert client.files.retrieve(file.id) == file
        content = client.files.content(file.id)
        assert content.content == data
        assert content.response.headers["content-disposition"].endswith("%C3%84rger.bin")
        empty = client.files.create(file=("empty", b""), purpose="user_data")
        assert client.files.content(empty.id).content == b""
        assert client.files.delete(file.id).deleted
        with pytest.raises(openai.NotFoundError):
            client.files.retrieve(file.id)
    assert not any(path.is_file() for path in desk.folder.rglob("*"))


def test_files_are_listed_page_by_page(desk: Desk) -> None:
    with desk.client(add_key(desk.accounts)) as client:
        ids = [
            client.files.create(file=(f"{n}", b"x"), purpose="batch" if n % 2 else "vision").id
            for n in range(5)
        ]
        assert [file.id for file in client.files.list()] == ids[::-1]
        assert [file.id for file in client.files.list(order="asc", limit=2)] == ids
        first = client.files.list(order="asc", limit=2)
        assert ([one.id for one in first.data], first.has_more) == (ids[:2], True)
        assert [file.id for file in client.files.list(purpose="batch")] == [ids[3], ids[1]]
        for wrong in ({"limit": 0}, {"order": "up"}, {"after": "file-none"}):
            with pytest.raises(openai.BadRequestError) as caught:
                client.files.list(**wrong)
            assert caught.value.param in wrong


def test_a_file_is_gone_when_its_time_is_over(desk: Desk) -> None:
    with desk.client(add_key(desk.accounts)) as client:
        expires: Any = {"anchor": "created_at", "seconds": 3600}
        short = client.files.create(file=("s", b"x"), purpose="batch", expires_after=expires)
        long = client.files.create(file=("l", b"x"), purpose="batch")
        assert short.expires_at == short.created_at + 3600
        desk.clock.late_by = 3601
        with pytest.raises(openai.NotFoundError):
            client.files.content(short.id)
        assert [file.id for file in client.files.list()] == [long.id]
        for seconds in (3599, 30 * 24 * 3600 + 1):
            with pytest.raises(openai.BadRequestError, match="expires_after"):
                client.files.create(
                    file=("s", b"x"),
                    purpose="batch",
                    expires_after={"anchor": "created_at", "seconds": seconds},
                )


def test_bytes_go_with_their_file_and_those_of_none_a_day_later(
    accounts: Database, desk: Desk
) -> None:
    with desk.client(add_key(accounts)) as client:
        kept = client.files.create(file=("k", b"x"), purpose="batch")
        read = begin(client, line("a", "wait")).input_file_id
    clock = Clock()
    store = Store(str(desk.folder))
    files = Files(accounts, store, FilesTable(), clock)
    left = files.write([b"a process was killed before it wrote the row"])
    files.sweep()
    assert {info.key.split("/")[1] for info in store.list("files")} >= {kept.id, left.id}
    clock.late_by = 24 * 3600 + 60
    files.sweep()
    held = {info.key.split("/")[1] for info in store.list("files")}
    assert kept.id in held
    assert left.id not in held
    clock.late_by = 2 * 24 * 3600 + 60
    files.sweep()
    assert [info.key.split("/")[1] for info in store.list("files")] == [read]


@_SQLITE
def test_a_file_that_was_altered_is_not_given_out(desk: Desk) -> None:
    with desk.client(add_key(desk.accounts)) as client:
        file = client.files.create(file=("f", 5_000_000 * b"a"), purpose="batch")
        first, *_, last = sorted(path for path in desk.folder.rglob("*") if path.is_file())
        last.write_bytes(b"b" + last.read_bytes()[1:])
        with pytest.raises((httpx.RemoteProtocolError, openai.APIConnectionError)):
            client.files.content(file.id)
        first.unlink()
        with pytest.raises(openai.InternalServerError) as caught:
            client.files.content(file.id)
        assert caught.value.code == "file_corrupt"
        assert str(desk.folder) not in str(caught.value)
        batch = client.batches.create(
            input_file_id=file.id, endpoint="/v1/embeddings", completion_window="24h"
        )
        while (batch := client.batches.retrieve(batch.id)).status != "failed":
            assert batch.status == "validating"
        assert [one.code for one in batch.errors.data] == ["input_file_unreadable"]


@_SQLITE
def test_a_file_that_a_batch_reads_stays(desk: Desk) -> None:
    with desk.client(add_key(desk.accounts)) as client:
        batch = begin(client, line("a", "wait"))
        with pytest.raises(openai.ConflictError):
            client.files.delete(batch.input_file_id)


def test_limits_of_a_file_and_of_a_project(desk: Desk) -> None:
    with desk.client(add_key(desk.accounts)) as client:
        for size, code in ((6_200_000, "file_too_large"), (20_000_000, "file_too_large")):
            with pytest.raises(openai.APIStatusError) as caught:
                client.files.create(file=("f", size * b"a"), purpose="batch")
            assert (caught.value.status_code, caught.value.code) == (413, code)
        ids = [client.files.create(file=("f", 5_000_000 * b"a"), purpose="batch").id for _ in "ab"]
        with pytest.raises(openai.APIStatusError) as caught:
            client.files.create(file=("f", 5_000_000 * b"a"), purpose="batch")
        assert (caught.value.status_code, caught.value.code) == (413, "project_full")
        client.files.delete(ids[0])
        assert client.files.create(file=("f", 5_000_000 * b"a"), purpose="batch").id


@_SQLITE
def test_a_file_without_announced_length_is_bounded_too(desk: Desk) -> None:
    def pieces() -> Iterator[bytes]:
        yield _part("file", b"", "f")[:-2]
        for _ in range(10):
            yield 1_000_000 * b"a"

    assert _post(desk, pieces()).status_code == 413
    assert not any(path.is_file() for path in desk.folder.rglob("*"))


_NO_FORMS = [
    (b"{}", "application/json"),
    (b"", "multipart/form-data"),
    (b"what", _FORM),
    (b"", _FORM),
    (_part("purpose", b"batch") + _END, _FORM),
    (_part("file", b"x", "f") + _END, _FORM),
    (_part("purpose", b"mine") + _part("file", b"x", "f") + _END, _FORM),
    (_part("purpose", b"batch") + _part("file", b"x") + _END, _FORM),
    (_part("purpose", b"batch") + 2 * _part("file", b"x", "f") + _END, _FORM),
    (9 * _part("purpose", b"batch") + _part("file", b"x", "f") + _END, _FORM),
    (_part("purpose", 2000 * b"batch") + _part("file", b"x", "f") + _END, _FORM),
    (_part("purpose", b"batch") + _part("file", b"x", "f\x01") + _END, _FORM),
    (_part("purpose", b"batch") + _part("file", b"x", 256 * "f") + _END, _FORM),
    (_WHOLE[: -len(_END)], _FORM),
    (_WHOLE[:-6], _FORM),
]


@_SQLITE
def test_a_form_that_is_none_is_refused(desk: Desk) -> None:
    for body, content_type in _NO_FORMS:
        found = _post(desk, body, content_type)
        assert found.status_code == 400, (body, found.text)
        assert found.json()["error"]["type"] == "invalid_request_error"
    assert not any(path.is_file() for path in desk.folder.rglob("*"))


@_SQLITE
def test_an_upload_that_does_not_come_is_not_kept(desk: Desk) -> None:
    secret = add_key(desk.accounts)
    head = f"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\n"
    head += f"Content-Type: {_FORM}\r\nContent-Length: {len(_WHOLE)}\r\n\r\n"
    for leaves in (True, False):
        with socket.create_connection(("127.0.0.1", urlsplit(desk.url).port or 0), 20) as sock:
            sock.sendall(head.encode() + _WHOLE[:-10])
            if not leaves:
                assert re.match(rb"HTTP/1.1 408 ", sock.recv(1 << 16))
    with desk.client(secret) as client:
        assert list(client.files.list()) == []
        assert client.files.create(file=("f", b"x"), purpose="batch").id
