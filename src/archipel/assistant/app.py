"""The assistant's web application: the page, and the two calls that it makes.

Talks to an OpenAI-compatible service; knows nothing about how that service works. The service's key
stays here: the browser never sees it.
"""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as AsgiMessage

from archipel.chat import ChatService, Message, ServiceError
from archipel.hosts import is_loopback

_BODY_LIMIT_BYTES = 4 << 20
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class _Turn(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    role: Literal["system", "user", "assistant"]
    content: str


class ChatRequest(BaseModel):
    """What the page sends to /api/chat."""

    model_config = ConfigDict(extra="forbid", strict=True)
    model: str
    messages: list[_Turn] = Field(min_length=1)


@dataclass(frozen=True)
class Assistant:
    """The page's two calls, over one service."""

    service: ChatService

    async def models(self, request: Request) -> Response:
        """The names to choose from, and where they run."""
        host = urlsplit(self.service.url).hostname or ""
        try:
            names = await self.service.list_models()
        except ServiceError as error:
            return JSONResponse(_shown(error), status_code=502)
        return JSONResponse({"models": names, "host": host, "local": is_loopback(host)})

    async def chat(self, request: Request) -> Response:
        """The answer as lines of JSON: {"text"} for a piece, then one {"tokens"} or {"error"}."""
        if request.headers.get("origin") != f"{request.url.scheme}://{request.headers['host']}":
            return _problem(403, "Only the assistant's own page may ask.")
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _BODY_LIMIT_BYTES:
                return _problem(413, f"The conversation is over {_BODY_LIMIT_BYTES >> 20} MiB.")
        try:
            asked = ChatRequest.model_validate_json(bytes(body))
        except ValidationError as error:
            return _problem(400, error.errors(include_url=False)[0]["msg"])
        return StreamingResponse(self._answer(asked), media_type="application/x-ndjson")

    async def _answer(self, asked: ChatRequest) -> AsyncIterator[bytes]:
        messages = [Message(turn.role, turn.content) for turn in asked.messages]
        tokens = None
        try:
            async with contextlib.aclosing(
                self.service.stream_chat(messages, asked.model)
            ) as deltas:
                async for delta in deltas:
                    tokens = delta.answer_tokens or tokens
                    if delta.text:
                        yield _line({"text": delta.text})
            yield _line({"tokens": tokens})
        except ServiceError as error:
            yield _line(_shown(error))


class _SafeHeaders:
    """Adds `_HEADERS` to every response, streams too, which pass through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: AsgiMessage) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def create_app(service_url: str, api_key: str | None) -> Starlette:
    """The assistant over the OpenAI-compatible service at `service_url` (…/v1)."""
    service = ChatService(service_url, api_key)
    assistant = Assistant(service)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with service:
            yield

    return Starlette(
        routes=[
            Route("/api/models", assistant.models),
            Route("/api/chat", assistant.chat, methods=["POST"]),
            Mount("/", StaticFiles(directory=str(files(__package__) / "static"), html=True)),
        ],
        middleware=[
            Middleware(_SafeHeaders),
            # A page of another site can point its name at 127.0.0.1, not change the Host header.
            Middleware(
                TrustedHostMiddleware,
                allowed_hosts=["localhost", "127.0.0.1", "[::1]"],
                www_redirect=False,
            ),
        ],
        lifespan=lifespan,
    )


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def _shown(error: ServiceError) -> dict[str, Any]:
    return {"error": {"code": error.code, "message": str(error)}}


def _problem(status: int, message: str) -> Response:
    return JSONResponse({"error": {"code": None, "message": message}}, status_code=status)
