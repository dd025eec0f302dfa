"""Batches through Anthropic's client, over the same queue as OpenAI's."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import httpx
import pytest
from anthropic import Anthropic

from archipel.serve.batches import message_batches_api, project_batches
from tests.serve.accounts.batches.desk import (
    Desk,
    Supplier,
    begin,
    billed,
    line,
    lines_of,
    other_projects_key,
    until,
)
from tests.serve.accounts.conftest import add_key

_SQLITE = pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # where it makes no difference


@contextmanager
def _client(desk: Desk, secret: str) -> Iterator[Anthropic]:
    with Anthropic(base_url=desk.url, api_key=secret, max_retries=0, timeout=20) as client:
        yield client


def _entry(custom_id: str, text: str = "Hi", **params: Any) -> Any:
    said = {"model": "chat", "max_tokens": 5, "messages": [{"role": "user", "content": text}]}
    return {"custom_id": custom_id, "params": {**said, **params}}


def _ended(client: Anthropic, id: str) -> Any:
    latest = time.monotonic() + 30
    while (batch := client.messages.batches.retrieve(id)).processing_status != "ended":
        assert time.monotonic() < latest, batch
    return batch


def _results(client: Anthropic, id: str) -> dict[str, Any]:
    return {one.custom_id: one.result for one in client.messages.batches.results(id)}


def test_messages_are_answered_once_at_half_price(desk: Desk) -> None:
    entries = [*(_entry(f"n{n}", f"text {n}") for n in range(5)), _entry("bad", "refuse")]
    entries += [_entry("none", max_tokens=0), _entry("image", messages=[{"role": "user"}])]
    with _client(desk, add_key(desk.accounts, "money/month=1")) as client:
        made = client.messages.batches.create(requests=entries)
        assert (made.processing_status, made.request_counts.processing) == ("in_progress", 8)
        assert (made.expires_at - made.created_at).total_seconds() == 24 * 3600
        batch = _ended(client, made.id)
        found = _results(client, made.id)
    counts = batch.request_counts
    assert (counts.processing, counts.succeeded, counts.errored) == (0, 5, 3)
    assert batch.created_at <= batch.ended_at <= batch.expires_at
    for n in range(5):
        assert found[f"n{n}"].type == "succeeded"
        message = found[f"n{n}"].message
        assert message.content[0].text == f"re: text {n}"
        assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 5)
    for wrong, said in (("bad", "no"), ("none", "max_tokens"), ("image", "wrong type")):
        assert found[wrong].error.error.type == "invalid_request_error"
        assert said in found[wrong].error.error.message
    rows = billed(desk.accounts)
    assert {row.batch for row in rows} == {made.id}
    assert {row.endpoint for row in rows} == {"/messages"}
    assert sorted(row.nanos for row in rows) == [0, *5 * [6_503]]  # half of 13,005, rounded up


@pytest.mark.parametrize("end", ["canceled", "expired"])
def test_what_was_answered_before_the_end_stays(desk: Desk, supplier: Supplier, end: str) -> None:
    with _client(desk, add_key(desk.accounts)) as client:
        entries = [_entry("first"), _entry("a", "wait"), _entry("b", "wait"), _entry("c")]
        made = client.messages.batches.create(requests=entries)
        supplier.wait_for(2)
        with pytest.raises(anthropic.AnthropicError, match="finished"):
            client.messages.batches.results(made.id)
        early = httpx.get(
            f"{desk.url}/v1/messages/batches/{made.id}/results",
            headers={"x-api-key": client.api_key or ""},
        )
        assert (early.status_code, early.json()["type"]) == (400, "error")
        if end == "canceled":
            cancelled = client.messages.batches.cancel(made.id)
            assert cancelled.processing_status == "canceling"
            assert cancelled.cancel_initiated_at is not None
        else:
            desk.clock.late_by = 24 * 3600
        supplier.may_answer.set()
        batch, found = _ended(client, made.id), _results(client, made.id)
    assert {id: one.type for id, one in found.items()} == {
        **dict.fromkeys(("first", "a", "b"), "succeeded"),
        "c": end,
    }
    assert (batch.request_counts.succeeded, getattr(batch.request_counts, end)) == (3, 1)
    assert len(billed(desk.accounts)) == 3


@_SQLITE
def test_batches_are_listed_in_both_directions_whoever_made_them(desk: Desk) -> None:
    secret = add_key(desk.accounts)
    with _client(desk, secret) as client, desk.client(secret) as openai:
        made = [client.messages.batches.create(requests=[_entry("a")]).id for _ in range(3)]
        chats = begin(openai, line("a"))
        of_openai = begin(openai, line("a", url="/v1/messages"), endpoint="/v1/messages")
        ids = [of_openai.id, *reversed(made)]
        batches = client.messages.batches
        assert [one.id for one in batches.list(limit=2)] == ids
        before = batches.list(limit=2, before_id=ids[3])
        assert ([one.id for one in before.data], before.has_more) == (ids[1:3], True)
        assert [one.id for one in batches.list(before_id=ids[0])] == []
        assert {one.id for one in openai.batches.list()} == {chats.id, *ids}
        _ended(client, of_openai.id)
        assert _results(client, of_openai.id)["a"].message.content[0].text == "re: Hi"
        output = until(openai, made[0], "completed").output_file_id
        assert lines_of(openai, output)["a"]["response"]["status_code"] == 200
        with pytest.raises(anthropic.NotFoundError, match="/v1/batches"):
            batches.retrieve(chats.id)
        with pytest.raises(anthropic.BadRequestError, match="after"):
            batches.list(after_id="msgbatch_none")


@_SQLITE
def test_what_no_batch_can_be_is_refused_and_leaves_nothing(
    desk: Desk, supplier: Supplier, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases: list[tuple[Any, str]] = [
        ([], "requests"),
        ([{"custom_id": "a"}], "params"),
        ([_entry("a"), _entry("a")], r"requests\.1: .*custom_id 'a'"),
        ([_entry("a", stream=True)], r"requests\.0: .*streamed"),
        ([{"custom_id": "a", "params": {"max_tokens": 5}}], "model"),
        ([_entry("a", "x" * (5 << 20))], r"requests\.0: .*4 MiB"),
    ]
    with _client(desk, add_key(desk.accounts)) as client:
        for requests, said in cases:
            with pytest.raises(anthropic.BadRequestError, match=said):
                client.messages.batches.create(requests=requests)
        monkeypatch.setattr(message_batches_api, "_MOST_BYTES", 1000)
        with pytest.raises(anthropic.RequestTooLargeError):
            client.messages.batches.create(requests=[_entry("a", "x" * 1000)])
        monkeypatch.setattr(project_batches, "_UNFINISHED", 0)
        with pytest.raises(anthropic.RateLimitError):
            client.messages.batches.create(requests=[_entry("a")])
        assert list(client.messages.batches.list()) == []
    assert not list(desk.folder.rglob("file-*/*"))
    assert not supplier.asked


@_SQLITE
def test_another_projects_batches_and_other_keys_are_refused(desk: Desk) -> None:
    other = other_projects_key(desk.accounts)
    for endpoints in (["batches"], ["messages"]):
        only = add_key(desk.accounts, endpoints=endpoints)
        with _client(desk, only) as client, pytest.raises(anthropic.PermissionDeniedError):
            client.messages.batches.create(requests=[_entry("a")])
    with _client(desk, "arch-" + 43 * "x") as client, pytest.raises(anthropic.AuthenticationError):
        client.messages.batches.list()
    mine = add_key(desk.accounts, endpoints=["batches", "messages"])
    with _client(desk, mine) as client, _client(desk, other) as theirs:
        made = client.messages.batches.create(requests=[_entry("a")])
        for act in (theirs.messages.batches.retrieve, theirs.messages.batches.cancel):
            with pytest.raises(anthropic.NotFoundError):
                act(made.id)
        assert list(theirs.messages.batches.list()) == []
        _ended(client, made.id)
        file = next(desk.folder.rglob("file-*/*"))
        assert _results(client, made.id)["a"].type == "succeeded"
        for each in file.parent.parent.rglob("file-*/*"):
            each.write_bytes(b"altered")
        with pytest.raises(anthropic.InternalServerError, match="altered"):
            list(client.messages.batches.results(made.id))


def test_a_batch_that_has_ended_is_deleted_with_all_that_it_left(
    desk: Desk, supplier: Supplier
) -> None:
    secret = add_key(desk.accounts)
    with _client(desk, secret) as client, desk.client(secret) as openai:
        of_a_file = begin(openai, line("a", url="/v1/messages"), endpoint="/v1/messages")
        entries = [_entry("a", "wait"), _entry("b", "refuse")]
        made = client.messages.batches.create(requests=entries)
        supplier.wait_for(1)
        with pytest.raises(anthropic.BadRequestError, match="has not ended: cancel it"):
            client.messages.batches.delete(made.id)
        supplier.may_answer.set()
        _ended(client, made.id)
        _ended(client, of_a_file.id)
        other = other_projects_key(desk.accounts)
        with _client(desk, other) as theirs, pytest.raises(anthropic.NotFoundError):
            theirs.messages.batches.delete(made.id)
        assert len(_results(client, made.id)) == 2
        for id in (made.id, of_a_file.id):
            deleted = client.messages.batches.delete(id)
            assert (deleted.id, deleted.type) == (id, "message_batch_deleted")
        for act in (client.messages.batches.retrieve, client.messages.batches.delete):
            with pytest.raises(anthropic.NotFoundError):
                act(made.id)
        assert list(client.messages.batches.list()) == []
        assert [file.id for file in openai.files.list()] == [of_a_file.input_file_id]
    assert {path.parent.name for path in desk.folder.rglob("file-*/*")} == {of_a_file.input_file_id}
    assert {row.batch for row in billed(desk.accounts)} == {made.id, of_a_file.id}
