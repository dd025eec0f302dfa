"""The gateway with keys and limits: what each key opens, what it is told, what is billed."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from archipel.database import Database
from archipel.errors import ConfigError
from archipel.serve.accounts import orders
from archipel.serve.accounts.access import AccountAccess
from archipel.serve.accounts.administer import Office
from archipel.serve.accounts.meter import Meter
from archipel.serve.accounts.tables import usage
from archipel.serve.gateway import create_app
from archipel.serve.providers import Directory, OpenAIProvider
from archipel.serve.routing import Policy, Price, Target
from tests.serve.accounts.conftest import PEPPER, add_key
from tests.serve.scripted import hosted_in_thread

NOW = 1_800_000_000.0  # 2027-01-15 08:00:00
MESSAGES: Any = [{"role": "user", "content": "Hi"}]


@dataclass
class Supplier:
    """Answers five words; says what they took, if it is one that does."""

    says_usage: bool = True
    prompt_tokens: int = 3
    bodies: list[dict[str, Any]] = field(default_factory=list)

    async def chat(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        used = {"prompt_tokens": self.prompt_tokens, "completion_tokens": 5, "total_tokens": 8}
        usage = {"usage": used} if self.says_usage else {}
        if body.get("stream"):
            wanted = (body.get("stream_options") or {}).get("include_usage")
            return StreamingResponse(
                self._stream(usage if wanted else {}), media_type="text/event-stream"
            )
        message = {"role": "assistant", "content": "one two three four five"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
        return JSONResponse({**answer, "choices": [choice], **usage})

    async def _stream(self, usage: dict[str, Any]) -> Any:
        pieces: list[dict[str, Any]] = [
            {"choices": [{"index": 0, "delta": {"content": f"{word} "}}], "usage": None}
            for word in ("one", "two", "three", "four", "five")
        ]
        ends = [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]
        for event in [*pieces, *ends, *([{"choices": [], **usage}] if usage else [])]:
            yield f"data: {json.dumps(event)}\n\n".encode()
        yield b"data: [DONE]\n\n"


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Door:
    """A running gateway over accounts, two suppliers behind it: one has no price."""

    url: str
    accounts: Database
    clock: Clock
    supplier: Supplier
    directory: Directory

    def client(self, secret: str) -> OpenAI:
        return OpenAI(base_url=f"{self.url}/v1", api_key=secret, max_retries=0, timeout=20)

    def ask(self, secret: str, model: str = "chat", **fields: Any) -> Any:
        with self.client(secret) as client:
            return client.chat.completions.create(model=model, messages=MESSAGES, **fields)

    def raw(self, secret: str, **fields: Any) -> httpx.Response:
        body = {"model": "chat", "messages": MESSAGES, **fields}
        headers = {"Authorization": f"Bearer {secret}"}
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, headers=headers)


@pytest.fixture
def door(accounts: Database) -> Iterator[Door]:
    supplier, clock = Supplier(), Clock()
    app = Starlette(routes=[Route("/v1/chat/completions", supplier.chat, methods=["POST"])])
    meter = Meter(accounts, clock)
    access = AccountAccess(accounts, meter, PEPPER, 100, {}, clock)
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(hosted_in_thread(app)) + "/v1"
        target = Target("s", "large", is_here=False, price=Price(1_000, 2_000))
        policies = {
            "chat": Policy("chat", (target,)),
            "free": Policy("free", (Target("s", "small", is_here=False),)),
        }
        directory = Directory(policies, {"s": OpenAIProvider(url, None)})
        runner = stack.enter_context(asyncio.Runner())
        writing = meter.writing()
        runner.run(writing.__aenter__())
        gateway = stack.enter_context(hosted_in_thread(create_app(directory, access)))
        yield Door(gateway, accounts, clock, supplier, directory)
    with asyncio.Runner() as last:
        last.run(writing.__aexit__(None, None, None))


def _billed(accounts: Database, count: int) -> list[Any]:
    """The rows of usage, once there are so many."""
    for _ in range(10_000):
        with accounts.reading() as connection:
            rows = list(connection.execute(select(usage).order_by(usage.c.began)))
        if len(rows) >= count:
            return rows
    raise AssertionError(rows)


def test_a_key_opens_and_is_billed(door: Door) -> None:
    secret = add_key(door.accounts, "money/month=1")
    answer = door.ask(secret)
    assert answer.choices[0].message.content == "one two three four five"
    (row,) = _billed(door.accounts, 1)
    assert (row.model, row.provider, row.provider_model) == ("chat", "s", "large")
    assert (row.outcome, row.prompt_tokens, row.completion_tokens) == ("answered", 3, 5)
    assert (row.nanos, row.estimated, row.endpoint) == (13_000, False, "/chat/completions")


def test_a_bill_names_the_endpoint_that_was_asked(door: Door) -> None:
    headers = {"Authorization": f"Bearer {add_key(door.accounts)}"}
    asked = {
        "chat/completions": {"messages": MESSAGES},
        "messages": {"messages": MESSAGES, "max_tokens": 9},
        "responses": {"input": "Hi"},
    }
    for path, fields in asked.items():
        body = {"model": "chat", **fields}
        assert httpx.post(f"{door.url}/v1/{path}", json=body, headers=headers).status_code == 200
    assert [row.endpoint for row in _billed(door.accounts, 3)] == [f"/{path}" for path in asked]


@pytest.mark.parametrize("secret", ["", "none", "arch-" + 43 * "a", "arch-" + 44 * "a", "é"])
def test_a_guessed_key_opens_nothing(door: Door, secret: str) -> None:
    headers = {"Authorization": f"Bearer {secret}".encode("latin-1")} if secret else {}
    for path in ("models", "chat/completions"):
        found = httpx.request(
            "GET" if path == "models" else "POST", f"{door.url}/v1/{path}", headers=headers
        )
        assert found.status_code == 401
        assert found.json()["error"]["code"] == "invalid_api_key"
    assert door.supplier.bodies == []


def test_a_revoked_key_opens_nothing_a_second_later(door: Door) -> None:
    secret = add_key(door.accounts)
    door.ask(secret)
    with door.accounts.writing() as connection:
        Office(connection, "tester", NOW).revoke_key(secret[:13])
    door.clock.now += 1
    with pytest.raises(openai.AuthenticationError):
        door.ask(secret)


def test_an_expired_key_opens_nothing(door: Door) -> None:
    import time

    secret = add_key(door.accounts, expires_days=1)
    door.clock.now = time.time()
    door.ask(secret)
    door.clock.now += 24 * 3600
    with pytest.raises(openai.AuthenticationError):
        door.ask(secret)


def test_a_key_for_one_model_sees_no_other(door: Door) -> None:
    secret = add_key(door.accounts, models=["free"])
    with door.client(secret) as client:
        assert [model.id for model in client.models.list()] == ["free"]
    assert door.ask(secret, "free").choices
    with pytest.raises(openai.NotFoundError, match="free") as caught:
        door.ask(secret, "chat")
    assert caught.value.code == "model_not_found"


def test_a_key_for_one_endpoint_opens_no_other(door: Door) -> None:
    secret = add_key(door.accounts, endpoints=["completions"])
    with pytest.raises(openai.PermissionDeniedError):
        door.ask(secret)


def test_64_at_once_do_not_overspend(door: Door) -> None:
    """Each may take 18 + 5 tokens, 28,000 nanos at most; in the end they have taken 13,000."""
    secret = add_key(door.accounts, "money/month=0.0005")

    def ask(_: int) -> int:
        return door.raw(secret, max_tokens=5).status_code

    with ThreadPoolExecutor(64) as pool:
        found = list(pool.map(ask, range(64)))
    answered = found.count(200)
    assert set(found) == {200, 429}
    rows = _billed(door.accounts, answered)
    assert sum(row.nanos for row in rows) == 13_000 * answered <= 500_000


def test_a_budget_that_is_spent_says_so(door: Door) -> None:
    secret = add_key(door.accounts, "money/month=0.0000001")
    with pytest.raises(openai.RateLimitError) as caught:
        door.ask(secret, max_tokens=1)
    assert caught.value.code == caught.value.type == "insufficient_quota"
    assert door.supplier.bodies == []


def test_a_limit_says_what_is_left_and_when_to_come_back(door: Door) -> None:
    secret = add_key(door.accounts, "requests/minute=2", "tokens/day=1000")
    found = door.raw(secret, max_tokens=5).headers
    assert found["x-ratelimit-limit-requests"] == "2"
    assert found["x-ratelimit-remaining-requests"] == "1"
    assert found["x-ratelimit-reset-requests"] == "60s"
    assert found["x-ratelimit-limit-tokens"] == "1000"
    assert 900 < int(found["x-ratelimit-remaining-tokens"]) < 1000
    door.raw(secret, max_tokens=5)
    refused = door.raw(secret, max_tokens=5)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    door.clock.now += 60
    assert door.raw(secret, max_tokens=5).status_code == 200


def test_a_request_larger_than_its_limit_is_told_so(door: Door) -> None:
    secret = add_key(door.accounts, "tokens/minute=50")
    found = door.raw(secret, max_tokens=100)
    assert found.status_code == 429
    assert "Shorten it" in found.json()["error"]["message"]


def test_a_limited_key_without_a_wish_gets_an_answer_of_the_usual_length(door: Door) -> None:
    door.ask(add_key(door.accounts, "tokens/day=1000"))
    door.ask(add_key(door.accounts))
    door.ask(add_key(door.accounts, "tokens/day=1000"), max_tokens=7)
    found = [
        (one.get("max_completion_tokens"), one.get("max_tokens")) for one in door.supplier.bodies
    ]
    assert found == [(100, None), (None, None), (None, 7)]


def test_a_provider_without_a_price_keeps_no_budget(door: Door) -> None:
    secret = add_key(door.accounts, "money/month=1")
    with pytest.raises(openai.PermissionDeniedError, match="price"):
        door.ask(secret, "free")


@pytest.mark.parametrize("wants_usage", [True, False])
def test_a_stream_is_billed_by_what_it_says(door: Door, wants_usage: bool) -> None:
    secret = add_key(door.accounts)
    options = {"stream_options": {"include_usage": True}} if wants_usage else {}
    with door.client(secret) as client:
        chunks = list(
            client.chat.completions.create(model="chat", messages=MESSAGES, stream=True, **options)
        )
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == "one two three four five "
    assert [bool(chunk.usage) for chunk in chunks].count(True) == wants_usage
    assert bool(chunks[-1].choices) != wants_usage
    (row,) = _billed(door.accounts, 1)
    assert (row.prompt_tokens, row.completion_tokens, row.estimated) == (3, 5, False)


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_that_says_nothing_of_tokens_is_estimated(door: Door, stream: bool) -> None:
    door.supplier.says_usage = False
    with door.client(add_key(door.accounts)) as client:
        answer: Any = client.chat.completions.create(model="chat", messages=MESSAGES, stream=stream)
        assert list(answer)
    (row,) = _billed(door.accounts, 1)
    assert row.estimated
    assert row.prompt_tokens > 0
    assert row.completion_tokens > 0


def test_a_request_that_failed_is_entered_and_costs_nothing(door: Door) -> None:
    secret = add_key(door.accounts, "tokens/day=1000")
    with pytest.raises(openai.InternalServerError), door.client(secret) as client:
        client.completions.create(model="chat", prompt="x")
    (row,) = _billed(door.accounts, 1)
    assert (row.outcome, row.nanos) == ("failed", 0)


def test_books_that_cant_be_written_let_nobody_ask(door: Door, url: str) -> None:
    secret = add_key(door.accounts)
    door.ask(secret)
    with door.accounts.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE reservations RENAME TO elsewhere")
    with pytest.raises(openai.InternalServerError) as caught:
        door.ask(secret)
    assert caught.value.code == "accounts_unavailable"
    assert len(door.supplier.bodies) == 1
    with door.accounts.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO reservations")
    door.ask(secret)
    assert len(_billed(door.accounts, 2)) == 2


def test_a_drained_supplier_is_asked_for_nothing_new(
    accounts: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "_LOOK_SECONDS", 0.01)
    directory = Directory({}, {})

    async def follow() -> list[list[str]]:
        seen = []
        async with orders.following(accounts, directory):
            for act in (Office.drain, Office.undo_drain):
                before = directory.drained
                seen.append(list(before))
                with accounts.writing() as connection:
                    act(Office(connection, "tester", NOW), "s")
                while directory.drained == before:
                    await asyncio.sleep(0)
        return [*seen, list(directory.drained)]

    assert asyncio.run(follow()) == [[], ["s"], []]
    with accounts.writing() as connection, pytest.raises(ConfigError, match="none is"):
        Office(connection, "tester", NOW).undo_drain("s")


def test_drained_targets_are_passed_over(door: Door) -> None:
    secret = add_key(door.accounts)
    door.directory.drained = ["s"]
    with pytest.raises(openai.InternalServerError) as caught:
        door.ask(secret)
    assert caught.value.code == "provider_unavailable"
    door.directory.drained = []
    assert door.ask(secret).choices


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens", "n", "best_of"])
def test_a_number_that_no_database_holds_is_refused(door: Door, field: str) -> None:
    secret = add_key(door.accounts, "tokens/day=1000000")
    response = door.raw(secret, **{field: 10**30})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == field
    assert door.raw(secret).status_code == 200


def test_a_supplier_that_says_too_large_a_number_does_not_stop_the_books(door: Door) -> None:
    secret = add_key(door.accounts)
    door.supplier.prompt_tokens = 10**30
    assert door.raw(secret).status_code == 200
    door.supplier.prompt_tokens = 3
    assert door.raw(secret).status_code == 200
