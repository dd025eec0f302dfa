"""The OpenAI-compatible API in front of the engines: checks each request, then passes it through.

Knows nothing about how a model runs; an engine's own answer goes to the client byte for byte.
"""

import asyncio
import hmac
import json
import logging
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from archipel.errors import ModelError
from archipel.serve.engine import Engine

LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
_BODY_LIMIT_BYTES = 4 << 20
_log = logging.getLogger(__name__)


class ApiError(Exception):
    """What the client is told, in OpenAI's shape."""

    def __init__(
        self, status: int, message: str, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        kind = "invalid_request_error" if status < 500 else "server_error"
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


class _ChatMessage(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)
    role: str
    content: str | list[dict[str, Any]] | None = None


class _CommonFields(BaseModel):
    """What the gateway itself needs or the engine does not check; the engine checks the rest."""

    model_config = ConfigDict(extra="allow", strict=True)
    model: str
    stream: bool | None = None
    max_tokens: int | None = Field(default=None, ge=0)
    temperature: float | None = Field(default=None, ge=0, le=2)


class ChatRequest(_CommonFields):
    messages: list[_ChatMessage] = Field(min_length=1)


class CompletionRequest(_CommonFields):
    prompt: str | list[Any]


@dataclass(frozen=True)
class Gateway:
    """The routes, over the engines by public name and one shared HTTP client."""

    engines: Mapping[str, Engine]
    client: httpx.AsyncClient
    api_key: str | None

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def models(self, request: Request) -> Response:
        self._authorise(request)
        models = [
            {"id": name, "object": "model", "created": 0, "owned_by": "archipel"}
            for name in self.engines
        ]
        return JSONResponse({"object": "list", "data": models})

    async def chat(self, request: Request) -> Response:
        return await self._answer(request, ChatRequest)

    async def completions(self, request: Request) -> Response:
        return await self._answer(request, CompletionRequest)

    async def _answer(self, request: Request, fields: type[_CommonFields]) -> Response:
        self._authorise(request)
        body = await _read_body(request)
        engine = self._engine(_parse(body, fields).model)
        try:
            address = await engine.address()
            forwarded = self.client.build_request(
                "POST",
                address.url + request.url.path,
                content=body,
                headers={
                    "Authorization": f"Bearer {address.api_key}",
                    "Content-Type": "application/json",
                },
            )
            upstream = await _unless_client_leaves(
                request, self.client.send(forwarded, stream=True)
            )
        except (ModelError, httpx.TransportError) as error:
            _log.error("no answer from engine %s: %s", engine.name, error)
            raise ApiError(503, _engine_ended(engine), "engine_unavailable") from error
        if upstream.is_error:
            raise await _engine_refusal(upstream, "messages" if fields is ChatRequest else "prompt")
        return StreamingResponse(
            _relay(upstream, engine), media_type=upstream.headers["content-type"]
        )

    def _authorise(self, request: Request) -> None:
        """With a key, the key decides. Without one, no page of another site may use the service."""
        if self.api_key is None:
            origin = request.headers.get("origin")
            if origin and origin.partition("://")[2] != request.headers["host"]:
                raise ApiError(403, f"Pages of {origin} may not use this service.", "forbidden")
            return
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(
            key.encode("latin-1"), self.api_key.encode()
        ):
            message = "The API key is missing or wrong. Send it as `Authorization: Bearer KEY`."
            raise ApiError(401, message, "invalid_api_key")

    def _engine(self, model: str) -> Engine:
        if model not in self.engines:
            names = ", ".join(self.engines)
            message = f"The model {model!r} does not exist here. Ask for one of: {names}."
            raise ApiError(404, message, "model_not_found", "model")
        return self.engines[model]


def create_app(
    engines: Mapping[str, Engine], client: httpx.AsyncClient, api_key: str | None
) -> Starlette:
    """The service over running engines. Without a key it answers to this machine's names only."""
    gateway = Gateway(engines, client, api_key)
    # A page of another site can point its own name at 127.0.0.1; it can't change the Host header.
    local_only = Middleware(TrustedHostMiddleware, allowed_hosts=LOCAL_HOSTS, www_redirect=False)
    return Starlette(
        routes=[
            Route("/health", gateway.health),
            Route("/v1/models", gateway.models),
            Route("/v1/chat/completions", gateway.chat, methods=["POST"]),
            Route("/v1/completions", gateway.completions, methods=["POST"]),
        ],
        middleware=[] if api_key else [local_only],
        exception_handlers={
            ApiError: _show_api_error,
            HTTPException: _show_http_exception,
            ClientDisconnect: _show_nothing,
        },
    )


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_LIMIT_BYTES:
            raise ApiError(413, f"The request is over {_BODY_LIMIT_BYTES >> 20} MiB. Shorten it.")
    return bytes(body)


def _parse(body: bytes, fields: type[_CommonFields]) -> _CommonFields:
    try:
        return fields.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        param = ".".join(str(part) for part in first["loc"]) or None
        message = f"{param or 'body'}: {first['msg']}"
        raise ApiError(400, message, "invalid_value" if param else "invalid_json", param) from None


async def _unless_client_leaves(
    request: Request, answer: Coroutine[Any, Any, httpx.Response]
) -> httpx.Response:
    """The answer, no longer waited for if the client goes: its slot is for those who still wait."""

    async def leave() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    answering, leaving = asyncio.create_task(answer), asyncio.create_task(leave())
    try:
        await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            raise ClientDisconnect
        return answering.result()
    finally:
        answering.cancel()
        leaving.cancel()


async def _relay(upstream: httpx.Response, engine: Engine) -> AsyncIterator[bytes]:
    """The engine's answer as it comes; closed as soon as the client goes."""
    try:
        async for chunk in upstream.aiter_raw():
            yield chunk
    except httpx.TransportError as error:
        _log.error("engine %s ended in the middle of an answer: %s", engine.name, error)
        problem = ApiError(503, _engine_ended(engine), "engine_unavailable")
        yield b"data: " + json.dumps(problem.body).encode() + b"\n\n"
    finally:
        await upstream.aclose()


def _engine_ended(engine: Engine) -> str:
    return f"The engine of {engine.name!r} ended. Send the request again: it will be started again."


async def _engine_refusal(upstream: httpx.Response, text: str) -> ApiError:
    """llama.cpp's error as OpenAI would put it; `text` is the field that holds the text."""
    await upstream.aread()
    await upstream.aclose()
    try:
        error = upstream.json()["error"]
        kind, message = error["type"], str(error["message"])
    except (ValueError, KeyError, TypeError):
        return ApiError(502, f"The engine answered {upstream.status_code}.", "engine_error")
    if kind == "exceed_context_size_error":
        message = (
            f"The request has {error['n_prompt_tokens']} tokens and the model's context is "
            f"{error['n_ctx']}. Shorten it, or start the service with a larger --context."
        )
        return ApiError(400, message, "context_length_exceeded", text)
    return ApiError(upstream.status_code, message, kind)


async def _show_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body, status_code=error.status)


async def _show_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse(
        ApiError(error.status_code, error.detail).body, error.status_code, error.headers
    )


async def _show_nothing(request: Request, error: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it: the client has left
