"""Batches through OpenAI's client: what becomes of every line, whatever happens meanwhile."""

import hashlib
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from sqlalchemy import select

from archipel.database import Database
from archipel.serve.accounts.administer import NewKey, Office
from archipel.serve.accounts.tables import reservations
from archipel.serve.batches import asking, files_api, project_batches
from tests.serve.accounts.batches.desk import (
    Desk,
    Supplier,
    begin,
    billed,
    jsonl,
    line,
    lines_of,
    open_desk,
    other_projects_key,
    until,
)
from tests.serve.accounts.conftest import add_key

_SQLITE = pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # where it makes no difference


def test_every_line_is_answered_once_at_half_price(desk: Desk) -> None:
    secret = add_key(desk.accounts, "money/month=1")
    lines = [line(f"n{n}", f"text {n}") for n in range(20)]
    lines.append(line("bad", "refuse"))
    with desk.client(secret) as client:
        made = begin(client, *lines)
        batch = until(client, made.id, "completed")
        right, wrong = (lines_of(client, id) for id in (batch.output_file_id, batch.error_file_id))
    assert (batch.request_counts.total, batch.request_counts.completed) == (21, 20)
    assert batch.request_counts.failed == 1
    for n in range(20):
        answer = right[f"n{n}"]["response"]
        assert answer["status_code"] == 200
        assert answer["body"]["choices"][0]["message"]["content"] == f"re: text {n}"
    assert wrong["bad"]["response"]["status_code"] == 400
    assert wrong["bad"]["response"]["body"]["error"]["message"] == "no"
    rows = billed(desk.accounts)
    assert len(rows) == 21
    assert {row.batch for row in rows} == {made.id}
    assert sorted(row.nanos for row in rows) == [0, *20 * [6_503]]  # half of 13,005, rounded up


@_SQLITE
def test_other_endpoints_are_asked_too(desk: Desk) -> None:
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("completions", {"prompt": "Hi"}, "re: Hi"),
        ("embeddings", {"input": "Hi"}, "[0.5]"),
        ("responses", {"input": "Hi"}, "re: Hi"),
        ("messages", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}, "re: Hi"),
    ]
    with desk.client(add_key(desk.accounts)) as client:
        for endpoint, body, said in cases:
            asked = line("one", url=f"/v1/{endpoint}", body={"model": "chat", **body})
            batch = begin(client, asked, endpoint=f"/v1/{endpoint}")
            batch = until(client, batch.id, "completed")
            answer = lines_of(client, batch.output_file_id)["one"]["response"]
            assert said in json.dumps(answer["body"])
            assert batch.usage.output_tokens == 5


def test_a_batch_says_what_it_is(desk: Desk, supplier: Supplier) -> None:
    with desk.client(add_key(desk.accounts)) as client:
        file = client.files.create(file=("in.jsonl", jsonl(line("a", "wait"))), purpose="batch")
        made = client.batches.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={"why": "test"},
            output_expires_after={"anchor": "created_at", "seconds": 3600},
        )
        assert made.status in ("validating", "in_progress")  # a worker may be quick
        assert made.metadata == {"why": "test"}
        assert made.expires_at == made.created_at + 24 * 3600
        second = begin(client, line("b"))
        supplier.may_answer.set()
        ended = until(client, made.id, "completed")
        until(client, second.id, "completed")
        times = (ended.created_at, ended.in_progress_at, ended.finalizing_at, ended.completed_at)
        assert times == tuple(sorted(times))
        assert [one.id for one in client.batches.list(limit=1)] == [second.id, made.id]
        output = client.files.retrieve(ended.output_file_id)
        assert (output.purpose, output.expires_at - output.created_at) == ("batch_output", 3600)
        assert output.filename == f"{made.id}_output.jsonl"


_WRONG_LINES = [
    (b"{", "invalid_json_line", None),
    (b"[1]", "invalid_json_line", None),
    (b'{"a": 1, "a": 2}', "invalid_json_line", None),
    (b"[" * 100_000, "invalid_json_line", None),
    (b"\xff\xfe", "invalid_json_line", None),
    (b"x" * (5 << 20), "line_too_long", None),
    (json.dumps({**line("x"), "custom_id": 7}).encode(), "invalid_value", "custom_id"),
    (json.dumps({**line("x"), "method": "GET"}).encode(), "invalid_method", "method"),
    (json.dumps({**line("x"), "url": "/v1/embeddings"}).encode(), "url_mismatch", "url"),
    (json.dumps({**line("x"), "body": []}).encode(), "invalid_value", "body"),
    (b'{"custom_id": "x"}', "missing_required_parameter", "method"),
    (json.dumps(line("good")).encode(), "duplicate_custom_id", "custom_id"),
    (
        json.dumps(line("x", body={"model": "chat", "stream": True})).encode(),
        "invalid_value",
        "body.stream",
    ),
]


@_SQLITE
def test_an_input_file_with_wrong_lines_fails_and_says_which(
    desk: Desk, supplier: Supplier
) -> None:
    wrong = [raw for raw, _, _ in _WRONG_LINES]
    data = b"\n".join([json.dumps(line("good")).encode(), b"", *wrong])
    with desk.client(add_key(desk.accounts)) as client:
        file = client.files.create(file=("in.jsonl", data), purpose="batch")
        made = client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )
        batch = until(client, made.id, "failed")
    found = [(error.line, error.code, error.param) for error in batch.errors.data]
    wanted = [(n, code, param) for n, (_, code, param) in enumerate(_WRONG_LINES, 3)]
    assert found == wanted
    assert (batch.request_counts.total, batch.output_file_id) == (0, None)
    assert not supplier.asked


_NO_BATCHES: list[tuple[dict[str, Any], str]] = [
    ({"endpoint": "/v1/messages/batches"}, "endpoint"),
    ({"completion_window": "1h"}, "completion_window"),
    ({"metadata": {"a": 513 * "b"}}, "metadata.a"),
    ({"metadata": {"a": 1}}, "metadata.a"),
    ({"metadata": {str(n): "b" for n in range(17)}}, "metadata"),
    ({"output_expires_after": {"anchor": "created_at", "seconds": 1}}, "expires_after"),
    ({"input_file_id": 7}, "input_file_id"),
]


@_SQLITE
def test_what_no_batch_can_be_is_refused(desk: Desk) -> None:
    with desk.client(add_key(desk.accounts)) as client:
        file = client.files.create(file=("in.jsonl", jsonl(line("a"))), purpose="batch")
        other = client.files.create(file=("in.jsonl", jsonl(line("a"))), purpose="vision")
        asked = {
            "input_file_id": file.id,
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        }
        for change, param in [*_NO_BATCHES, ({"input_file_id": other.id}, "input_file_id")]:
            with pytest.raises(openai.BadRequestError) as caught:
                client.batches.create(**{**asked, **change})
            assert caught.value.param == param


@_SQLITE
def test_an_answer_waits_for_a_database_that_is_away(
    desk: Desk,
    supplier: Supplier,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(asking, "_DATABASE_SECONDS", 0.02)
    with desk.client(add_key(desk.accounts)) as client:
        made = begin(client, line("a", "wait"))
        supplier.wait_for(1)
        with desk.accounts.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE batch_answers RENAME TO elsewhere")
        supplier.may_answer.set()
        while "waits" not in caplog.text:
            assert client.batches.retrieve(made.id).status == "in_progress"
        with desk.accounts.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO batch_answers")
        assert until(client, made.id, "completed").request_counts.completed == 1
    assert supplier.asked == {"wait": 1}
    assert [row.outcome for row in billed(desk.accounts)] == ["answered"]


@_SQLITE
def test_a_project_has_only_so_much_under_way(
    desk: Desk, supplier: Supplier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_batches, "_UNFINISHED", 1)
    with desk.client(add_key(desk.accounts)) as client:
        first = begin(client, line("a", "wait"))
        with pytest.raises(openai.RateLimitError):
            begin(client, line("b"))
        supplier.may_answer.set()
        until(client, first.id, "completed")
        begin(client, line("b"))
        monkeypatch.setattr(files_api, "_UPLOADS", 0)
        with pytest.raises(openai.RateLimitError):
            client.files.create(file=("f", b"x"), purpose="batch")


def test_another_projects_files_and_batches_are_not_there(desk: Desk) -> None:
    other = other_projects_key(desk.accounts)
    with desk.client(add_key(desk.accounts)) as client, desk.client(other) as theirs:
        batch = begin(client, line("a"))
        file = batch.input_file_id
        acts: list[Callable[[], object]] = [
            lambda: theirs.files.retrieve(file),
            lambda: theirs.files.content(file),
            lambda: theirs.files.delete(file),
            lambda: theirs.batches.retrieve(batch.id),
            lambda: theirs.batches.cancel(batch.id),
            lambda: theirs.batches.create(
                input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h"
            ),
        ]
        for act in acts:
            with pytest.raises(openai.NotFoundError):
                act()
        for lists in (theirs.files.list, theirs.batches.list):
            assert list(lists()) == []
            with pytest.raises(openai.BadRequestError):
                lists(after=file)
        assert until(client, batch.id, "completed").request_counts.completed == 1


@_SQLITE
def test_a_key_for_one_endpoint_makes_no_batch_for_another(desk: Desk) -> None:
    secret = add_key(desk.accounts, endpoints=["files", "batches", "embeddings"])
    with desk.client(secret) as client, pytest.raises(openai.PermissionDeniedError):
        begin(client, line("a"))
    only = add_key(desk.accounts, endpoints=["chat/completions"])
    with desk.client(only) as client, pytest.raises(openai.PermissionDeniedError):
        client.files.list()


@_SQLITE
def test_lines_for_a_model_that_the_key_does_not_open_fail(desk: Desk) -> None:
    with desk.client(add_key(desk.accounts, models=["other"])) as client:
        batch = until(client, begin(client, line("a")).id, "completed")
        error = lines_of(client, batch.error_file_id)["a"]["response"]["body"]["error"]
    assert error["code"] == "model_not_found"
    assert billed(desk.accounts) == []


def test_a_key_that_is_revoked_meanwhile_asks_no_further_line(
    desk: Desk, supplier: Supplier
) -> None:
    secret, other = add_key(desk.accounts), add_key(desk.accounts)
    lines = [line("a", "wait"), line("b", "wait 2"), *(line(f"n{n}") for n in range(5))]
    with desk.client(secret) as client, desk.client(other) as colleague:
        made = begin(client, *lines)
        supplier.wait_for(2)
        with desk.accounts.writing() as connection:
            Office(connection, "tester", time.time()).revoke_key(secret[:13])
        desk.clock.late_by += 2  # by now every process knows
        supplier.may_answer.set()
        batch = until(colleague, made.id, "completed")
        wrong = lines_of(colleague, batch.error_file_id)
    assert {"n0", "n1", "n2", "n3", "n4"} <= wrong.keys()
    for one in wrong.values():
        assert one["response"]["status_code"] == 401
        assert one["response"]["body"]["error"]["code"] == "invalid_api_key"
    assert supplier.asked["Hi"] == 0
    assert len(billed(desk.accounts)) == 7 - len(wrong)


def test_a_line_waits_for_a_limit_that_will_have_room(desk: Desk, supplier: Supplier) -> None:
    secret = add_key(desk.accounts, "concurrent=1")
    with desk.client(secret) as client:
        made = begin(client, line("a", "wait"), line("b", "wait"), line("c"))
        supplier.wait_for(1)
        with pytest.raises(openai.RateLimitError):  # what the second line is told too
            client.chat.completions.create(model="chat", messages=[{"role": "user", "content": ""}])
        supplier.may_answer.set()
        assert until(client, made.id, "completed").request_counts.completed == 3
    assert [row.outcome for row in billed(desk.accounts)] == 3 * ["answered"]
    assert sum(supplier.asked.values()) == 3


def test_a_line_without_room_for_good_fails(desk: Desk, supplier: Supplier) -> None:
    cases = [
        ("money/month=0.0000001", "insufficient_quota"),
        ("tokens/day=3", "rate_limit_exceeded"),
    ]
    for limit, code in cases:
        with desk.client(add_key(desk.accounts, limit)) as client:
            batch = until(client, begin(client, line("a")).id, "completed")
            answer = lines_of(client, batch.error_file_id)["a"]["response"]
        assert (answer["status_code"], answer["body"]["error"]["code"]) == (429, code)
    assert not supplier.asked
    assert billed(desk.accounts) == []


@_SQLITE
def test_a_supplier_that_is_down_is_asked_again(desk: Desk, supplier: Supplier) -> None:
    supplier.refusals = 1
    with desk.client(add_key(desk.accounts)) as client:
        batch = until(client, begin(client, line("a")).id, "completed")
    assert batch.request_counts.completed == 1
    assert supplier.asked["Hi"] == 2
    assert [row.outcome for row in billed(desk.accounts)] == ["answered"]


@pytest.mark.parametrize("end", ["cancelled", "expired"])
def test_what_was_answered_before_the_end_stays(desk: Desk, supplier: Supplier, end: str) -> None:
    lines = [
        line("first"),
        line("a", "wait"),
        line("b", "wait"),
        *(line(f"n{n}") for n in range(4)),
    ]
    with desk.client(add_key(desk.accounts)) as client:
        made = begin(client, *lines)
        supplier.wait_for(2)
        if end == "cancelled":
            assert client.batches.cancel(made.id).status == "cancelling"
        else:
            desk.clock.late_by = 24 * 3600
        supplier.may_answer.set()
        batch = until(client, made.id, end)
        right = lines_of(client, batch.output_file_id)
        wrong = lines_of(client, batch.error_file_id)
        if end == "cancelled":
            assert client.batches.cancel(made.id).status == "cancelled"
        else:
            with pytest.raises(openai.ConflictError):
                client.batches.cancel(made.id)
    assert right.keys() == {"first", "a", "b"}
    assert {key: one["error"]["code"] for key, one in wrong.items()} == {
        f"n{n}": f"batch_{end}" for n in range(4)
    }
    assert len(billed(desk.accounts)) == 3


@_SQLITE
def test_a_batch_goes_on_when_the_service_has_ended_and_begun_again(
    accounts: Database, supply: tuple[Supplier, str], tmp_path: Path
) -> None:
    """At once; and its input stays as long as it needs it."""
    supplier, url = supply
    secret = add_key(accounts)
    with open_desk(accounts, url, tmp_path / "files") as desk, desk.client(secret) as client:
        data = jsonl(line("a"), line("b", "wait"), line("c", "wait"), line("d"))
        expires: Any = {"anchor": "created_at", "seconds": 3600}
        file = client.files.create(file=("i", data), purpose="batch", expires_after=expires)
        made = client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )
        supplier.wait_for(2)
    supplier.may_answer.set()
    with (
        open_desk(accounts, url, tmp_path / "files", late_by=3700) as desk,
        desk.client(secret) as client,
    ):
        batch = until(client, made.id, "completed")
        assert lines_of(client, batch.output_file_id).keys() == {"a", "b", "c", "d"}
    assert supplier.asked == {"Hi": 2, "wait": 4}
    assert [row.outcome for row in billed(accounts)] == 4 * ["answered"]


def test_a_process_that_comes_back_late_bills_nothing(
    desk: Desk, supply: tuple[Supplier, str]
) -> None:
    """Another has taken its batch over, as it was not heard of; both have the answers."""
    supplier, url = supply
    with desk.client(add_key(desk.accounts)) as client:
        made = begin(client, line("a", "wait"), line("b", "wait"), line("c"))
        supplier.wait_for(2)
        with open_desk(desk.accounts, url, desk.folder, late_by=61):
            supplier.wait_for(2)
            supplier.may_answer.set()
            batch = until(client, made.id, "completed")
            assert lines_of(client, batch.output_file_id).keys() == {"a", "b", "c"}
    assert sorted(row.outcome for row in billed(desk.accounts)) == 3 * ["answered"]
    with desk.accounts.reading() as connection:
        assert connection.execute(select(reservations)).all() == []


def test_nothing_is_lost_or_billed_twice_when_the_service_is_killed(
    accounts: Database,
    url: str,
    supply: tuple[Supplier, str],
    tmp_path: Path,
    archipel: Callable[..., subprocess.Popen[str]],
) -> None:
    supplier, provider = supply
    pepper = hashlib.sha256(b"pepper").digest()
    with accounts.writing() as connection:
        secret = Office(connection, "tester", time.time()).add_key(NewKey("k", "site"), pepper)
    settings = tmp_path / "service.toml"
    settings.write_text(_SETTINGS.format(url=provider, store=tmp_path / "files"))
    environment = {"DATABASE_URL": url, "ARCHIPEL_SECRET": "pepper"}
    process = archipel("serve", "--config", settings, "--port", 0, **environment)
    assert process.stdout is not None
    where = process.stdout.readline().split()[1]
    lines = [line(f"n{n}", "wait" if n in (10, 11) else f"text {n}") for n in range(30)]
    with openai.OpenAI(base_url=where, api_key=secret) as client:
        made = begin(client, *lines)
        supplier.wait_for(2)
        assert client.batches.retrieve(made.id).request_counts.completed == 10
    process.kill()
    process.wait()
    supplier.may_answer.set()
    with (
        open_desk(accounts, provider, tmp_path / "files", late_by=61, pepper=pepper) as desk,
        desk.client(secret) as client,
    ):
        batch = until(client, made.id, "completed")
        right = lines_of(client, batch.output_file_id)
    assert right.keys() == {f"n{n}" for n in range(30)}
    rows = billed(accounts)
    assert [row.outcome for row in rows] == 30 * ["answered"]
    assert {row.batch for row in rows} == {made.id}
    assert supplier.asked == {"wait": 4, **{f"text {n}": 1 for n in range(30) if n not in (10, 11)}}


_SETTINGS = """
[accounts]
[files]
store = "{store}"
[providers.s]
url = "{url}"
[routes.chat]
targets = [{{provider = "s", model = "large", prompt_price = 1.0, completion_price = 2.0}}]
"""
