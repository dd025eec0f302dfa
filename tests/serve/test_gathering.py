"""A supplier whose stream is fast at first, and then waits until each token has been seen."""

import json
import queue
from collections.abc import AsyncIterator, Iterator

import pytest
from openai import OpenAI
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from archipel.serve.access import LocalAccess
from archipel.serve.gateway import create_app
from archipel.serve.providers import Directory, OpenAIProvider
from archipel.serve.routing import Policy, Target
from tests.serve.scripted import hosted_in_thread

_TOKENS = [f"{number} ".ljust(1000, ".") for number in range(100)]  # longer than an answer


class _Supplier:
    """Sends each of the first tokens when the one before has been seen, the others at once."""

    def __init__(self) -> None:
        self.in_turns = len(_TOKENS)
        self.seen: queue.Queue[str] = queue.Queue()
        self.connections: set[object] = set()

    async def chat(self, request: Request) -> Response:
        assert request.client
        self.connections.add(request.client.port)
        if (await request.json()).get("stream"):
            return StreamingResponse(self._stream(), media_type="text/event-stream")
        message = {"role": "assistant", "content": "short"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return JSONResponse({"id": "1", "object": "chat.completion", "choices": [choice]})

    async def _stream(self) -> AsyncIterator[bytes]:
        for number, token in enumerate(_TOKENS):
            delta = {"role": "assistant", "content": token}
            yield f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta}]})}\n\n".encode()
            if number < self.in_turns:
                assert token == await run_in_threadpool(self.seen.get, timeout=20)
        yield b"data: [DONE]\n\n"


@pytest.fixture
def supplier() -> _Supplier:
    return _Supplier()


@pytest.fixture
def client(supplier: _Supplier) -> Iterator[OpenAI]:
    app = Starlette(routes=[Route("/v1/chat/completions", supplier.chat, methods=["POST"])])
    with hosted_in_thread(app) as url:
        target = Target("reef", "reef-large", is_here=False)
        providers = {"reef": OpenAIProvider(f"{url}/v1", None)}
        gateway = create_app(
            Directory({"chat": Policy("chat", (target,))}, providers), LocalAccess()
        )
        with (
            hosted_in_thread(gateway) as own,
            OpenAI(base_url=f"{own}/v1", api_key="none", max_retries=0, timeout=20) as client,
        ):
            yield client


def test_a_token_comes_though_none_follows_it(supplier: _Supplier, client: OpenAI) -> None:
    messages = [{"role": "user", "content": "Count."}]
    stream = client.chat.completions.create(model="chat", messages=messages, stream=True)  # type: ignore[call-overload]
    for chunk in stream:
        supplier.seen.put(chunk.choices[0].delta.content)
    assert supplier.seen.empty()


def test_a_short_answer_comes_over_the_connection_of_a_fast_stream(
    supplier: _Supplier, client: OpenAI
) -> None:
    messages = [{"role": "user", "content": "Count."}]
    supplier.in_turns = 8  # that show that it is fast
    for _ in range(3):
        stream = client.chat.completions.create(model="chat", messages=messages, stream=True)  # type: ignore[call-overload]
        for chunk in stream:
            supplier.seen.put(chunk.choices[0].delta.content)
        supplier.seen = queue.Queue()
        answer = client.chat.completions.create(model="chat", messages=messages)  # type: ignore[call-overload]
        assert answer.choices[0].message.content == "short"
    assert len(supplier.connections) == 1
