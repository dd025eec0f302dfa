"""A service whose answers the test writes, piece by piece."""

import asyncio
import base64
import contextlib
import json
import queue
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp


@contextlib.contextmanager
def hosted_in_thread(
    app: ASGIApp, http: type[asyncio.Protocol] | Literal["auto"] = "auto"
) -> Iterator[str]:
    """Serve `app` on a free port of this machine; gives its URL."""
    sock = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, http=http, log_config=None, ws="none", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@dataclass
class ScriptedService:
    """An OpenAI-compatible service under the test's control. Where several answers grow at once,
    `to` says which by its model; else it is the one that was asked for last."""

    url: str = ""
    requests: queue.Queue[dict[str, Any]] = field(default_factory=queue.Queue)
    refusal: tuple[int, dict[str, Any]] | None = None
    fits: int = 0  # messages of a request that is not refused
    listed: list[dict[str, Any]] = field(default_factory=lambda: [{"id": "island"}, {"id": "reef"}])
    may_list: bool = True
    keys: set[str] = field(default_factory=set)
    provider: str = ""  # who answers, in X-Archipel-Provider
    hold: bool = False  # answer nothing at all, not even a header
    client_left: threading.Event = field(default_factory=threading.Event)
    _answers: dict[str | None, "asyncio.Queue[bytes | Exception | None]"] = field(
        default_factory=dict
    )
    _loop: asyncio.AbstractEventLoop | None = None

    def asked(self) -> dict[str, Any]:
        """The next request that arrives."""
        return self.requests.get(timeout=60)

    def turns(self) -> list[dict[str, Any]]:
        """What the next request that arrives has, without what the model is told first."""
        turns: list[dict[str, Any]] = self.asked()["messages"]
        return [turn for turn in turns if turn["role"] != "system"]

    def send(self, data: bytes | Exception | None, to: str | None = None) -> None:
        """Put bytes into an answer under way; None ends it, an exception breaks the connection."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._answers[to].put_nowait, data)

    def say(self, *pieces: str, to: str | None = None) -> None:
        for piece in pieces:
            chunk = {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
            self.send(f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode(), to)

    def finish(
        self, tokens: int = 7, to: str | None = None, prompt_tokens: int | None = None
    ) -> None:
        last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        asked = {} if prompt_tokens is None else {"prompt_tokens": prompt_tokens}
        usage = {"choices": [], "usage": {"completion_tokens": tokens, **asked}}
        for chunk in (last, usage):
            self.send(f"data: {json.dumps(chunk)}\n\n".encode(), to)
        self.send(b"data: [DONE]\n\n", to)
        self.send(None, to)

    def write(self, *pieces: str) -> None:
        """A whole completion of plain text, in pieces."""
        for piece in pieces:
            chunk = {"choices": [{"index": 0, "text": piece, "finish_reason": None}]}
            self.send(f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode())
        last = {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}
        self.send(f"data: {json.dumps(last)}\n\ndata: [DONE]\n\n".encode())
        self.send(None)

    async def models(self, request: Request) -> Response:
        self.keys.add(request.headers.get("authorization", ""))
        if not self.may_list:
            return JSONResponse({"error": {"message": "not with this key"}}, 403)
        return JSONResponse({"data": self.listed})

    async def chat(self, request: Request) -> Response:
        self._loop = asyncio.get_running_loop()
        body = await request.json()
        if self.refusal and len(body["messages"]) > self.fits:
            status, error = self.refusal
            self.requests.put(body)
            return JSONResponse(error, status)
        if self.hold:
            while not await request.is_disconnected():
                await request.receive()
            self.client_left.set()
        answer: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self._answers[None] = self._answers[body["model"]] = answer
        self.requests.put(body)
        headers = {"X-Archipel-Provider": self.provider} if self.provider else {}
        stream = self._stream(answer)
        return StreamingResponse(stream, headers=headers, media_type="text/event-stream")

    def picture(self, index: int, file: bytes) -> None:
        """Send one of the pictures under way."""
        self.event("completed", index, b64_json=base64.b64encode(file).decode())

    def event(self, kind: str, index: int | None, **told: Any) -> None:
        """Send an event of one of the pictures under way, or (None) of all."""
        event = {"type": f"image_generation.{kind}", "index": index, **told}
        self.send(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())

    async def images(self, request: Request) -> Response:
        """Streamed: the events are what is sent until the end."""
        self._loop = asyncio.get_running_loop()
        body = await request.json()
        answer: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self._answers[None] = self._answers[body["model"]] = answer
        self.requests.put(body)
        return StreamingResponse(self._stream(answer), media_type="text/event-stream")

    async def complete(self, request: Request) -> Response:
        """Where it is not to be streamed, the text is all that is sent until the end."""
        self._loop = asyncio.get_running_loop()
        body = await request.json()
        if self.refusal:
            status, error = self.refusal
            return JSONResponse(error, status)
        answer: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self._answers[None] = self._answers[body["model"]] = answer
        self.requests.put(body)
        if body.get("stream"):
            return StreamingResponse(self._stream(answer), media_type="text/event-stream")
        leaving = asyncio.create_task(_gone(request))
        text = asyncio.create_task(_all_of(answer))
        await asyncio.wait((leaving, text), return_when=asyncio.FIRST_COMPLETED)
        if not text.done():
            text.cancel()
            self.client_left.set()
            return Response(status_code=499)
        leaving.cancel()
        choice = {"index": 0, "text": text.result(), "finish_reason": "stop"}
        return JSONResponse({"choices": [choice]})

    async def _stream(
        self, answer: "asyncio.Queue[bytes | Exception | None]"
    ) -> AsyncIterator[bytes]:
        try:
            while (data := await answer.get()) is not None:
                if isinstance(data, Exception):
                    raise data
                yield data
        except asyncio.CancelledError:
            self.client_left.set()
            raise


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _all_of(answer: "asyncio.Queue[bytes | Exception | None]") -> str:
    whole = b""
    while (data := await answer.get()) is not None:
        assert isinstance(data, bytes)
        whole += data
    return whole.decode()


@contextlib.contextmanager
def scripted_service() -> Iterator[ScriptedService]:
    """The service for the time of the block."""
    script = ScriptedService()
    app = Starlette(
        routes=[
            Route("/v1/models", script.models),
            Route("/v1/chat/completions", script.chat, methods=["POST"]),
            Route("/v1/images/generations", script.images, methods=["POST"]),
            Route("/v1/completions", script.complete, methods=["POST"]),
        ]
    )
    with hosted_in_thread(app) as url:
        script.url = f"{url}/v1"
        yield script


@pytest.fixture
def scripted() -> Iterator[ScriptedService]:
    with scripted_service() as script:
        yield script
