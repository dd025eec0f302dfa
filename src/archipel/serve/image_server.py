"""OpenAI's API, as far as pictures need it, before a model of pictures in this process.

One order is painted at a time; others wait, up to a limit. Only who knows the key is answered.
"""

import asyncio
import base64
import contextlib
import json
import os
import secrets
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from archipel.images.manifest import Parent
from archipel.images.painter import Ability, Order, Painter
from archipel.images.provenance import Coding, Facts, as_file
from archipel.images.signing import Signer
from archipel.serve.api_error import ApiError, retry_after
from archipel.serve.body import read_body, read_fields
from archipel.serve.hosting import hosted, listen
from archipel.serve.image_fields import ImageAsked, coding_of, image_file, order_of, read_asked
from archipel.serve.media import File, read_form

_BODY_SECONDS = 60.0
_MOST_ORDERS = 16  # painted or waiting
_ALIVE_SECONDS = 15.0  # without a step, after which a stream says that it lives
_BUSY_SECONDS = 30.0

Say = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Step:
    """So many steps are done."""

    done: int
    total: int


@dataclass(frozen=True)
class Made:
    """A picture, whole."""

    data: bytes
    seed: int
    size: str

    @property
    def fields(self) -> dict[str, Any]:
        """As OpenAI words it; the seed is ours."""
        return {"b64_json": base64.b64encode(self.data).decode(), "seed": self.seed}


@dataclass(eq=False)
class Work:
    """One order on its way from the painter's thread; `leave` ends it within a step."""

    order: Order
    coding: Coding
    parent: Parent | None  # what its pictures are begun from, where somebody signs them
    told: asyncio.Queue[Step | list[Made] | Exception | None] = field(default_factory=asyncio.Queue)
    left: threading.Event = field(default_factory=threading.Event)

    def leave(self) -> None:
        """Nobody waits for it any more."""
        self.left.set()
        self.told.put_nowait(None)  # for who still does


@dataclass(frozen=True)
class Endpoints:
    """OpenAI's endpoints over one model."""

    name: str
    painter: Painter
    key: str
    thread: ThreadPoolExecutor  # of one worker
    signer: Signer | None = None
    orders: set[Work] = field(default_factory=set)

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def generations(self, request: Request) -> Response:
        self._check_key(request)
        fields = read_fields(await read_body(request, _BODY_SECONDS), ImageAsked)
        return await self._answer(request, "generate", fields, [])

    async def edits(self, request: Request) -> Response:
        self._check_key(request)
        return await self._answer(request, "edit", *await read_form(request, _BODY_SECONDS))

    async def variations(self, request: Request) -> Response:
        self._check_key(request)
        return await self._answer(request, "vary", *await read_form(request, _BODY_SECONDS))

    async def others(self, request: Request) -> Response:
        self._check_key(request)
        message = "model: it makes pictures only. Ask it through /v1/images/generations."
        raise ApiError(400, message, "unsupported_by_provider", "model")

    def _check_key(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not secrets.compare_digest(given.encode(), f"Bearer {self.key}".encode()):
            raise ApiError(401, "The key is wrong.", "invalid_api_key")

    def _check_signer(self) -> None:
        """Before anything is painted that could not be signed then."""
        if self.signer is not None and self.signer.valid_until <= datetime.now(UTC):
            message = "The certificate that signs pictures has run out. It is to be renewed."
            raise ApiError(500, message, "not_signed")

    def _parent(self, order: Order, files: Sequence[File]) -> Parent | None:
        if self.signer is None or order.image is None:
            return None
        return self.signer.parent(image_file(files))

    async def _answer(
        self, request: Request, wanted: Ability, fields: Mapping[str, Any], files: Sequence[File]
    ) -> Response:
        asked = read_asked(fields)
        coding = coding_of(asked)
        self._check_signer()
        order = await asyncio.to_thread(order_of, asked, self.painter, wanted, files)
        parent = await asyncio.to_thread(self._parent, order, files)
        if len(self.orders) >= _MOST_ORDERS:
            message = f"{_MOST_ORDERS} orders wait for this model already. Ask again later."
            raise ApiError(429, message, "engine_busy", headers=retry_after(_BUSY_SECONDS))
        work = Work(order, coding, parent)
        if asked.stream:
            self._begin(work)
            kind = "image_edit" if wanted == "edit" else "image_generation"
            return _Stream(_events(work, kind, len(self.orders) - 1), lambda: self._end(work))
        return JSONResponse(await self._whole(request, work))

    def _begin(self, work: Work) -> None:
        loop = asyncio.get_running_loop()
        self.orders.add(work)

        def put(told: Step | list[Made] | Exception) -> None:
            loop.call_soon_threadsafe(work.told.put_nowait, told)

        def tell(done: int, total: int) -> bool:
            put(Step(done, total))
            return work.left.is_set()

        def run() -> None:
            if work.left.is_set():
                return
            try:
                pictures = self.painter.paint(work.order, tell)
                put([self._made(work, *each) for each in enumerate(pictures)])
            except Exception as error:  # noqa: BLE001 (the thread's end: who waits is told)
                put(error)

        self.thread.submit(run)

    def _made(self, work: Work, number: int, picture: Any) -> Made:
        """The picture's file, with who made it in it if somebody signs."""
        order, seed = work.order, work.order.seed + number
        facts = Facts(self.name, seed, order.prompt)
        file = as_file(picture, facts, work.coding)
        if self.signer is not None:
            file = self.signer.signed(file, facts, work.parent)
        return Made(file.data, seed, f"{picture.width}x{picture.height}")

    def _end(self, work: Work) -> None:
        work.leave()
        self.orders.discard(work)

    async def _whole(self, request: Request, work: Work) -> dict[str, Any]:
        """All pictures in one answer; the work ends early when the client goes."""
        self._begin(work)

        async def watch() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            work.leave()

        watching = asyncio.create_task(watch())
        try:
            async for told in _told(work):
                if isinstance(told, list):
                    about = {"created": int(time.time()), **_about(work, told)}
                    return {**about, "data": [made.fields for made in told]}
        finally:
            self._end(work)
            watching.cancel()
        raise ApiError(408, "The client has left.")


class _Stream(StreamingResponse):
    """A stream that ends its work when nobody reads it any more."""

    def __init__(self, events: AsyncIterator[bytes], end: Callable[[], None]) -> None:
        super().__init__(events, media_type="text/event-stream")
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._end()


async def _events(work: Work, kind: str, before: int) -> AsyncIterator[bytes]:
    """Progress, step by step, then each picture. An error breaks the connection off, so that nobody
    pays for a stream that only seems whole."""
    yield _event({"type": f"{kind}.progress", "step": 0, "steps": None, "before": before})
    async for told in _told(work):
        if told is None:
            yield b": still there\n\n"
        elif isinstance(told, Step):
            step = {"step": told.done, "steps": told.total}
            yield _event({"type": f"{kind}.progress", **step})
        else:
            about = {"created_at": int(time.time()), **_about(work, told)}
            for made in told:
                yield _event({"type": f"{kind}.completed", **about, **made.fields})


async def _told(work: Work) -> AsyncIterator[Step | list[Made] | None]:
    """What comes, up to the pictures or until the client has left; None after a while without."""
    while True:
        told = None
        with contextlib.suppress(TimeoutError):
            told = await asyncio.wait_for(work.told.get(), _ALIVE_SECONDS)
        if isinstance(told, Exception):
            raise told
        if work.left.is_set():
            return
        yield told
        if isinstance(told, list):
            return


def _about(work: Work, pictures: Sequence[Made]) -> dict[str, Any]:
    """What is the same of all."""
    size, format_ = pictures[0].size if pictures else None, work.coding.format
    return {"size": size, "output_format": format_, "background": "opaque", "quality": "auto"}


def _event(body: Mapping[str, Any]) -> bytes:
    return f"event: {body['type']}\ndata: {json.dumps(body)}\n\n".encode()


async def _show_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body, error.status, error.headers)


def create_app(endpoints: Endpoints) -> Starlette:
    """The endpoints at their places."""
    return Starlette(
        routes=[
            Route("/health", endpoints.health),
            Route("/v1/images/generations", endpoints.generations, methods=["POST"]),
            Route("/v1/images/edits", endpoints.edits, methods=["POST"]),
            Route("/v1/images/variations", endpoints.variations, methods=["POST"]),
            Route("/v1/{path:path}", endpoints.others, methods=["POST"]),
        ],
        exception_handlers={ApiError: _show_api_error},
    )


async def serve(
    settings: Mapping[str, Any], painter: Painter, say: Say, signer: Signer | None = None
) -> None:
    """Answer until standard input ends; `say` tells the parent where. `signer` signs pictures."""
    with ThreadPoolExecutor(1) as thread:
        endpoints = Endpoints(settings["name"], painter, settings["api_key"], thread, signer)
        async with hosted(create_app(endpoints), listen("127.0.0.1", 0)) as url:
            say({"url": url})
            await asyncio.to_thread(sys.stdin.read)
            os._exit(0)  # pictures under way are wanted by nobody any more
