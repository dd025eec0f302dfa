"""OpenAI's API, as far as a chat or a completion of text needs it, before a model in this process.

Knows nothing of what computes the model. Only who knows the key is answered.
"""

import asyncio
import os
import secrets
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from archipel.models.sampling import UsualSampling
from archipel.serve.api_error import ApiError
from archipel.serve.hosting import hosted, listen
from archipel.serve.text_model import LogprobModel, Prompt, Sampling, TextModel, Token
from archipel.serve.text_pieces import Pieces
from archipel.serve.text_wording import (
    USUAL_TEMPERATURE,
    Asked,
    Chat,
    Completion,
    Piece,
    Shape,
    event,
    parsed,
    unsupported,
    usage,
)

Say = Callable[[Mapping[str, Any]], None]
_USUAL = {"temperature": USUAL_TEMPERATURE, "top_p": 1.0}
_CHOICES = set(UsualSampling.model_fields)


@dataclass
class Answering:
    """One answer on its way from the model's thread; `leave` ends it within a token."""

    pieces: asyncio.Queue[Piece | Exception | None] = field(default_factory=asyncio.Queue)
    left: threading.Event = field(default_factory=threading.Event)

    def leave(self) -> None:
        self.left.set()
        self.pieces.put_nowait(None)  # for who still waits


@dataclass(frozen=True)
class Endpoints:
    """OpenAI's endpoints over one model."""

    name: str
    model: TextModel
    context: int
    key: str
    threads: ThreadPoolExecutor  # one for each answer at a time; further ones wait

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def chat(self, request: Request) -> Response:
        return await self._answer(request, Chat(self.name))

    async def completions(self, request: Request) -> Response:
        return await self._answer(request, Completion(self.name))

    async def _answer(self, request: Request, shape: Shape) -> Response:
        given = request.headers.get("authorization", "")
        if not secrets.compare_digest(given.encode(), f"Bearer {self.key}".encode()):
            raise ApiError(401, "The key is wrong.", "invalid_api_key")
        asked = parsed(await request.body())
        likeliest = shape.likeliest(asked)
        if likeliest is not None and not isinstance(self.model, LogprobModel):
            raise unsupported("logprobs")
        # In a thread: to make large pictures ready takes seconds.
        prompt = await asyncio.to_thread(shape.prompt, asked, self.model.tokenizer)
        room = self._room(prompt)
        most = min(asked.max_completion_tokens or asked.max_tokens or room, room)
        answering = self._begin(shape, asked, prompt, self._sampling(asked, most, likeliest))
        if asked.stream:
            return _Stream(answering, _events(answering, shape, asked, len(prompt.ids)))
        return JSONResponse(await _whole(request, answering, shape, len(prompt.ids)))

    def _room(self, prompt: Prompt) -> int:
        """Tokens that are left for an answer."""
        tokens, most = len(prompt.ids), self.context - 1
        if 1 <= tokens <= most:
            return self.context - tokens
        pictures = f", {prompt.of_pictures} of them for its pictures" if prompt.of_pictures else ""
        message = f"The prompt has {tokens} tokens{pictures}; 1 to {most} are taken."
        raise ApiError(400, message, "context_length_exceeded" if tokens else "invalid_value")

    def _sampling(self, asked: Asked, most: int, likeliest: int | None) -> Sampling:
        """As the request says, else as the model's maker, else as our engines usually do."""
        usual = self.model.usual.model_dump(exclude_none=True)
        said = asked.model_dump(include=_CHOICES, exclude_none=True)
        return Sampling(
            max_tokens=most, seed=asked.seed, likeliest=likeliest, **{**_USUAL, **usual, **said}
        )

    def _begin(self, shape: Shape, asked: Asked, prompt: Prompt, sampling: Sampling) -> Answering:
        given = [asked.stop] if isinstance(asked.stop, str) else asked.stop or []
        stops = [stop for stop in given if stop]
        echo = shape.echo(asked, prompt, self.model.tokenizer)
        answering, loop = Answering(), asyncio.get_running_loop()

        def put(piece: Piece | Exception) -> None:
            loop.call_soon_threadsafe(answering.pieces.put_nowait, piece)

        def run() -> None:
            if answering.left.is_set():
                return
            try:
                most, ends = sampling.max_tokens, shape.tells_ends
                pieces = Pieces(self.model, stops, most, tells_ends=ends)
                if echo is not None:
                    put(pieces.prompt(echo, self._read(prompt, sampling.likeliest)))

                def tell(token: Token) -> bool:
                    piece = pieces.add(token)
                    if piece.text or piece.logprobs or piece.finish:
                        put(piece)
                    return piece.finish is not None or answering.left.is_set()

                self.model.answer(prompt, sampling, tell)
            except Exception as error:  # noqa: BLE001 (the thread's end: who waits is told)
                put(error)

        self.threads.submit(run)
        return answering

    def _read(self, prompt: Prompt, likeliest: int | None) -> list[Token]:
        """The prompt's tokens, if their log-probabilities are asked for."""
        if likeliest is None or not isinstance(self.model, LogprobModel):
            return []
        return self.model.read(prompt.ids, likeliest)


class _Stream(StreamingResponse):
    """A stream that ends its answer when nobody reads it any more."""

    def __init__(self, answering: Answering, events: AsyncIterator[bytes]) -> None:
        super().__init__(events, media_type="text/event-stream")
        self._answering = answering

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._answering.leave()


async def _events(
    answering: Answering, shape: Shape, asked: Asked, prompt_tokens: int
) -> AsyncIterator[bytes]:
    is_first, tokens = True, 0
    async for piece in _pieces(answering):
        choice = shape.choice(piece, streams=True, is_first=is_first)
        yield event(shape.body([choice], streams=True))
        is_first, tokens = False, piece.tokens
    if (asked.stream_options or {}).get("include_usage"):
        yield event({**shape.body([], streams=True), "usage": usage(prompt_tokens, tokens)})
    yield b"data: [DONE]\n\n"


async def _whole(
    request: Request, answering: Answering, shape: Shape, prompt_tokens: int
) -> dict[str, Any]:
    """The answer in one; it ends early when the client goes."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        answering.leave()

    watching = asyncio.create_task(watch())
    try:
        pieces = [piece async for piece in _pieces(answering)]
    finally:
        answering.leave()
        watching.cancel()
    if not (pieces and pieces[-1].finish):
        raise ApiError(408, "The client has left.")
    last = pieces[-1]
    logprobs = [one for piece in pieces for one in piece.logprobs]
    text = "".join(piece.text for piece in pieces)
    whole = Piece(text, logprobs, last.tokens, last.finish)
    body = shape.body([shape.choice(whole, streams=False)], streams=False)
    return {**body, "usage": usage(prompt_tokens, last.tokens)}


async def _pieces(answering: Answering) -> AsyncIterator[Piece]:
    while True:
        piece = await answering.pieces.get()
        if isinstance(piece, Exception):
            raise piece
        if piece is None:
            return
        yield piece
        if piece.finish:
            return


async def _show_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body, error.status)


def create_app(endpoints: Endpoints) -> Starlette:
    """The endpoints at their places."""
    return Starlette(
        routes=[
            Route("/health", endpoints.health),
            Route("/v1/chat/completions", endpoints.chat, methods=["POST"]),
            Route("/v1/completions", endpoints.completions, methods=["POST"]),
        ],
        exception_handlers={ApiError: _show_api_error},
    )


async def serve(settings: Mapping[str, Any], model: TextModel, say: Say) -> None:
    """Answer until standard input ends; `say` tells the parent where."""
    context = min(settings["context_tokens"], model.context or settings["context_tokens"])
    with ThreadPoolExecutor(settings["parallel"]) as threads:
        endpoints = Endpoints(settings["name"], model, context, settings["api_key"], threads)
        async with hosted(create_app(endpoints), listen("127.0.0.1", 0)) as url:
            say({"url": url})
            await asyncio.to_thread(sys.stdin.read)
            os._exit(0)  # answers under way are read by nobody any more
