"""The gateway over several suppliers, each a real server, that fail in every way they can."""

import asyncio
import contextlib
import json
import re
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import openai
import pytest
from openai import OpenAI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from archipel.serve.access import LocalAccess
from archipel.serve.gateway import create_app
from archipel.serve.metrics import Metrics
from archipel.serve.providers import Directory, OpenAIProvider, Provider
from archipel.serve.routing import Policy, Target
from archipel.serve.telemetry import Telemetry
from tests.serve.scripted import hosted_in_thread

_ROLE = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}


@dataclass
class Supplier:
    """An OpenAI-compatible service that says its name, or fails as `mood` says."""

    name: str
    mood: str = "well"
    asked: int = 0
    models: list[str] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    async def chat(self, request: Request) -> Response:
        body = await request.json()
        self.asked += 1
        self.models.append(body["model"])
        if self.mood.isdigit():
            return JSONResponse({"error": {"message": "no", "type": "t"}}, int(self.mood))
        if self.mood == "silent":
            while (await request.receive())["type"] != "http.disconnect":
                pass
            self.left.set()
        if body.get("stream"):
            return StreamingResponse(self._stream(), media_type="text/event-stream")
        message = {"role": "assistant", "content": self.name}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
        return JSONResponse({**answer, "choices": [choice]})

    async def _stream(self) -> AsyncIterator[bytes]:
        yield _event(_ROLE)
        if self.mood == "breaks before its first token":
            raise ConnectionError
        if self.mood == "error event":
            yield _event({"error": {"message": "overloaded"}})
            return
        if self.mood == "says nothing":
            return
        if self.mood == "nonsense":
            yield b"data: what?\n\n"
            return
        if self.mood == "silent after its role":
            try:
                await asyncio.sleep(60)
            finally:
                self.left.set()
        yield _event({"choices": [{"index": 0, "delta": {"content": self.name}}]})
        if self.mood == "breaks after its first token":
            raise ConnectionError
        yield _event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        yield b"data: [DONE]\n\n"


def _event(data: object) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


@contextlib.contextmanager
def _suppliers(*names: str) -> Iterator[list[Supplier]]:
    with contextlib.ExitStack() as stack:
        found = [Supplier(name) for name in names]
        for supplier in found:
            path = "/v1/chat/completions"
            app = Starlette(routes=[Route(path, supplier.chat, methods=["POST"])])
            supplier.url = stack.enter_context(hosted_in_thread(app)) + "/v1"
        yield found


@contextlib.contextmanager
def _gateway(
    suppliers: list[Supplier], metrics: Metrics | None = None, **policy: object
) -> Iterator[OpenAI]:
    providers: dict[str, Provider] = {s.name: OpenAIProvider(s.url, None) for s in suppliers}
    targets = tuple(
        Target(s.name, f"{s.name}-large", is_here=False, first_token_seconds=0.5, answer_seconds=1)
        for s in suppliers
    )
    chat = Policy("chat", targets, **policy)  # type: ignore[arg-type]
    telemetry = Telemetry(metrics or Metrics())
    app = create_app(Directory({"chat": chat}, providers), LocalAccess(), telemetry=telemetry)
    with (
        hosted_in_thread(app) as url,
        OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=20) as client,
    ):
        yield client


def _ask(client: OpenAI, *, stream: bool) -> str:
    messages = [{"role": "user", "content": "Who are you?"}]
    answer = client.chat.completions.create(model="chat", messages=messages, stream=stream)  # type: ignore[call-overload]
    if not stream:
        return str(answer.choices[0].message.content)
    return "".join(chunk.choices[0].delta.content or "" for chunk in answer)


_BEFORE_THE_FIRST_TOKEN = ["500", "503", "429", "401", "404", "silent"]
_OF_A_STREAM = [
    "breaks before its first token",
    "error event",
    "says nothing",
    "nonsense",
    "silent after its role",
]


@pytest.mark.parametrize(
    ("mood", "stream"),
    [(mood, stream) for mood in _BEFORE_THE_FIRST_TOKEN for stream in (False, True)]
    + [(mood, True) for mood in _OF_A_STREAM],
)
def test_what_fails_before_the_first_token_is_asked_of_the_next(mood: str, stream: bool) -> None:
    with _suppliers("ebb", "flow") as (ebb, flow), _gateway([ebb, flow]) as client:
        ebb.mood = mood
        assert _ask(client, stream=stream) == "flow"
        assert (ebb.asked, flow.asked) == (1, 1)
        assert flow.models == ["flow-large"]
        if "silent" in mood:
            assert ebb.left.wait(20)  # nobody waits for it any more, and it knows


def test_a_supplier_that_is_gone_is_passed_over() -> None:
    with _suppliers("flow") as (flow,):
        gone = Supplier("gone", url="http://127.0.0.1:9/v1")
        with _gateway([gone, flow]) as client:
            assert _ask(client, stream=True) == "flow"


def test_a_stream_that_breaks_after_its_first_token_ends_with_an_error() -> None:
    with _suppliers("ebb", "flow") as (ebb, flow), _gateway([ebb, flow]) as client:
        ebb.mood = "breaks after its first token"
        with pytest.raises(openai.APIError, match="broke off"):
            _ask(client, stream=True)
        assert flow.asked == 0


def test_a_wrong_request_is_refused_once_and_asked_of_nobody_else() -> None:
    with _suppliers("ebb", "flow") as (ebb, flow), _gateway([ebb, flow]) as client:
        ebb.mood = "422"
        for _ in range(6):
            with pytest.raises(openai.UnprocessableEntityError):
                _ask(client, stream=False)
        ebb.mood = "well"
        assert _ask(client, stream=False) == "ebb"  # what is the client's fault rests nobody
        assert flow.asked == 0


def test_a_supplier_that_fails_rests_after_five_failures() -> None:
    with _suppliers("ebb", "flow") as (ebb, flow), _gateway([ebb, flow]) as client:
        ebb.mood = "500"
        assert [_ask(client, stream=True) for _ in range(20)] == ["flow"] * 20
        assert ebb.asked == 5


def test_when_all_rest_the_client_is_told_when_to_come_back() -> None:
    with _suppliers("ebb") as (ebb,), _gateway([ebb]) as client:
        ebb.mood = "500"
        for _ in range(7):
            with pytest.raises(openai.InternalServerError) as error:
                _ask(client, stream=False)
        assert ebb.asked == 5
        assert error.value.status_code == 503
        assert error.value.code == "provider_unavailable"
        assert 0 < int(error.value.response.headers["retry-after"]) <= 5


def test_a_slow_first_is_overtaken_by_a_hedge_and_let_go() -> None:
    with (
        _suppliers("ebb", "flow") as (ebb, flow),
        _gateway([ebb, flow], hedge_seconds=0.1) as client,
    ):
        ebb.mood = "silent after its role"
        assert _ask(client, stream=True) == "flow"
        assert ebb.left.wait(20)
        ebb.mood = "well"
        assert _ask(client, stream=True) == "ebb"  # to be overtaken is no failure


def test_what_a_hedges_loser_may_cost_is_counted() -> None:
    metrics = Metrics()
    with (
        _suppliers("ebb", "flow") as (ebb, flow),
        _gateway([ebb, flow], metrics, hedge_seconds=0.1) as client,
    ):
        ebb.mood = "silent after its role"
        assert _ask(client, stream=True) == "flow"
        assert ebb.left.wait(20)
    said = metrics.text().decode()
    assert 'archipel_serve_let_go_total{provider="ebb"} 1.0' in said
    tokens = re.search(r'let_go_prompt_tokens_total{provider="ebb"} (.*)', said)
    assert tokens is not None
    assert 1 <= float(tokens[1]) < 30
    assert 'provider="flow"} 1.0' not in said.partition("let_go_total")[2].partition("#")[0]


def test_a_killed_supplier_costs_none_of_many_streams_that_had_not_begun() -> None:
    with (
        _suppliers("ebb", "flow") as (ebb, flow),
        _gateway([ebb, flow]) as client,
        ThreadPoolExecutor(32) as pool,
    ):
        ebb.mood = "silent after its role"
        answers = [pool.submit(_ask, client, stream=True) for _ in range(64)]
        assert [answer.result(60) for answer in answers] == ["flow"] * 64


def test_the_answer_says_who_gave_it() -> None:
    with _suppliers("ebb", "flow") as (ebb, flow), _gateway([ebb, flow]) as client:
        ebb.mood = "500"
        body = {"model": "chat", "messages": [{"role": "user", "content": "Hi"}]}
        answer = httpx.post(f"{client.base_url}chat/completions", json=body)
        assert answer.headers["x-archipel-provider"] == "flow"
