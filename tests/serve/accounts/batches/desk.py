"""A service with files and batches over a supplier that the test conducts."""

import asyncio
import contextlib
import json
import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openai import OpenAI
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from archipel.database import Database
from archipel.serve.accounts.access import AccountAccess
from archipel.serve.accounts.administer import NewKey, Office
from archipel.serve.accounts.meter import Meter
from archipel.serve.accounts.tables import usage
from archipel.serve.batches.opened import files_and_batches
from archipel.serve.gateway import create_app
from archipel.serve.heads import BoundedHeads
from archipel.serve.providers import Directory, OpenAIProvider
from archipel.serve.routing import Policy, Price, Target
from archipel.serve.setting_tables import FilesTable
from tests.serve.accounts.conftest import PEPPER
from tests.serve.scripted import hosted_in_thread

PATHS = ("chat/completions", "completions", "embeddings")


@dataclass
class Supplier:
    """Answers what it is asked. `wait` in a text: when the test lets it; `refuse`: with 400; the
    first `refusals` that are not so: with 503."""

    asked: Counter[str] = field(default_factory=Counter)
    waiting: queue.Queue[str] = field(default_factory=queue.Queue)
    may_answer: threading.Event = field(default_factory=threading.Event)
    refusals: int = 0

    def wait_for(self, count: int) -> None:
        """Until so many more requests wait for the test."""
        for _ in range(count):
            self.waiting.get(timeout=30)

    async def answer(self, request: Request) -> Response:
        body = await request.json()
        text = body["messages"][-1]["content"] if "messages" in body else body.get("prompt", "")
        self.asked[text] += 1
        if "refuse" in text:
            return JSONResponse({"error": {"message": "no", "code": "wrong", "param": None}}, 400)
        if "wait" in text:
            self.waiting.put(text)
            while not self.may_answer.is_set() and not await request.is_disconnected():
                await asyncio.sleep(0.01)
        if self.refusals:
            self.refusals -= 1
            return JSONResponse({}, 503)
        used = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
        answer = {"id": "1", "created": 0, "model": "m", "usage": used}
        if "input" in body:
            vectors = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
            return JSONResponse({**answer, "object": "list", "data": vectors})
        message = {"role": "assistant", "content": f"re: {text}"}
        choice = {"index": 0, "message": message, "text": text, "finish_reason": "stop"}
        return JSONResponse({**answer, "object": "chat.completion", "choices": [choice]})


@contextlib.contextmanager
def hosted_supplier() -> Iterator[tuple[Supplier, str]]:
    """A supplier and its URL, with /v1."""
    supplier = Supplier()
    routes = [Route(f"/v1/{path}", supplier.answer, methods=["POST"]) for path in PATHS]
    with hosted_in_thread(Starlette(routes=routes)) as url:
        yield supplier, f"{url}/v1"


@dataclass
class Clock:
    """The time, and as much later as the test says."""

    late_by: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.late_by


@dataclass
class Desk:
    """A running service."""

    url: str
    accounts: Database
    clock: Clock
    folder: Path  # of the files' bytes

    def client(self, secret: str) -> OpenAI:
        return OpenAI(base_url=f"{self.url}/v1", api_key=secret, max_retries=0, timeout=20)


@contextlib.contextmanager
def open_desk(
    accounts: Database, supplier: str, folder: Path, *, late_by: float = 0.0, **limits: Any
) -> Iterator[Desk]:
    """One process of the service, whose clock may be late."""
    clock = Clock(late_by)
    meter = Meter(accounts, clock)
    pepper, seconds = limits.pop("pepper", PEPPER), limits.pop("seconds", 20.0)
    access = AccountAccess(accounts, meter, pepper, 100, {}, clock)
    table = FilesTable(store=str(folder), **limits)
    annex = files_and_batches(access, table, parallel=2, batch_price_share=0.5, seconds=seconds)
    target = Target("s", "large", is_here=False, price=Price(1_000, 2_001))
    policies = {"chat": Policy("chat", (target,))}
    directory = Directory(policies, {"s": OpenAIProvider(supplier, None)})
    writing = meter.writing()
    with asyncio.Runner() as runner:
        runner.run(writing.__aenter__())
        app = create_app(directory, access, annex=annex)
        try:
            with hosted_in_thread(app, BoundedHeads) as url:
                yield Desk(url, accounts, clock, folder)
        finally:
            runner.run(writing.__aexit__(None, None, None))


def other_projects_key(accounts: Database) -> str:
    """The secret of a key of another project."""
    with accounts.writing() as connection:
        office = Office(connection, "tester", time.time())
        office.add_project("other", "ours")
        return office.add_key(NewKey("theirs", "other"), PEPPER)


def line(custom_id: str, text: str = "Hi", **fields: Any) -> dict[str, Any]:
    """A request of an input file."""
    body = {"model": "chat", "messages": [{"role": "user", "content": text}], "max_tokens": 5}
    more = {"method": "POST", "url": "/v1/chat/completions", "body": body}
    return {"custom_id": custom_id, **more, **fields}


def jsonl(*lines: dict[str, Any]) -> bytes:
    """An input file."""
    return b"".join(json.dumps(one).encode() + b"\n" for one in lines)


def begin(client: OpenAI, *lines: dict[str, Any], endpoint: Any = "/v1/chat/completions") -> Any:
    """A batch of the lines."""
    file = client.files.create(file=("in.jsonl", jsonl(*lines)), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h")


def until(client: OpenAI, id: str, *statuses: str) -> Any:
    """The batch once it has such a status; it has no other that is an end."""
    latest = time.monotonic() + 30
    while (batch := client.batches.retrieve(id)).status not in statuses:
        assert time.monotonic() < latest, batch
        assert batch.status not in ("completed", "failed", "expired", "cancelled"), batch
    return batch


def lines_of(client: OpenAI, file: str | None) -> dict[str, dict[str, Any]]:
    """An output or error file, by custom_id."""
    assert file is not None
    found = [json.loads(one) for one in client.files.content(file).text.splitlines()]
    by_id = {one["custom_id"]: one for one in found}
    assert len(by_id) == len(found)
    return by_id


def billed(accounts: Database) -> list[Any]:
    """All rows of usage."""
    with accounts.reading() as connection:
        return list(connection.execute(select(usage).order_by(usage.c.began)))
