"""The OpenAI-compatible API: checks each request, has it answered, and passes the answer through.

Knows nothing about who answers; a provider's own answer goes to the client byte for byte.
"""

import asyncio
import contextlib
import hmac
import json
import logging
import secrets
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from archipel.serve.anthropic import Unmappable
from archipel.serve.dispatch import Dispatcher, NoAnswer
from archipel.serve.providers import Directory, Question
from archipel.serve.upstream import Answer, BrokenOff, Refused, client_session

LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
_BODY_LIMIT_BYTES = 4 << 20
_log = logging.getLogger(__name__)


class ApiError(Exception):
    """What the client is told, in OpenAI's shape."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        param: str | None = None,
        retry_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = None if retry_seconds is None else {"Retry-After": f"{retry_seconds:.0f}"}
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
    """The endpoints. The dispatcher over the same directory is in each request's state."""

    directory: Directory
    api_key: str | None

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def models(self, request: Request) -> Response:
        self._authorise(request)
        models = [
            {"id": name, "object": "model", "created": 0, "owned_by": "archipel"}
            for name in self.directory.policies
        ]
        return JSONResponse({"object": "list", "data": models})

    async def chat(self, request: Request) -> Response:
        return await self._answer(request, ChatRequest)

    async def completions(self, request: Request) -> Response:
        return await self._answer(request, CompletionRequest)

    async def _answer(self, request: Request, fields: type[_CommonFields]) -> Response:
        self._authorise(request)
        body = await _read_body(request)
        name = _parse(body, fields).model
        self._check_model(name)
        question = Question(request.url.path.removeprefix("/v1"), json.loads(body), body)
        dispatcher: Dispatcher = request.state.dispatcher
        try:
            answer = await _unless_client_leaves(request, dispatcher.answer(name, question))
        except NoAnswer as error:
            raise _no_answer(name, error) from error
        except Unmappable as error:
            raise ApiError(400, str(error), "unsupported_by_provider", error.param) from error
        except Refused as error:
            raise _refusal(error, "messages" if fields is ChatRequest else "prompt") from error
        headers = {"X-Archipel-Provider": answer.target.provider}
        if answer.rest is None:
            return Response(answer.head, 200, headers, answer.content_type)
        return StreamingResponse(_relay(name, answer), 200, headers, answer.content_type)

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

    def _check_model(self, model: str) -> None:
        if model not in self.directory.policies:
            names = ", ".join(self.directory.policies)
            message = f"The model {model!r} does not exist here. Ask for one of: {names}."
            raise ApiError(404, message, "model_not_found", "model")


def create_app(directory: Directory, api_key: str | None) -> Starlette:
    """The service over its providers. Without a key it answers to this machine's names only."""
    gateway = Gateway(directory, api_key)

    @contextlib.asynccontextmanager
    async def dispatching(app: Starlette) -> AsyncIterator[dict[str, Dispatcher]]:
        async with client_session() as session:
            draw = partial(secrets.token_bytes, 16)
            yield {"dispatcher": Dispatcher(directory, session, draw=draw)}

    # A page of another site can point its own name at 127.0.0.1; it can't change the Host header.
    local_only = Middleware(TrustedHostMiddleware, allowed_hosts=LOCAL_HOSTS, www_redirect=False)
    return Starlette(
        lifespan=dispatching,
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


async def _unless_client_leaves(request: Request, answer: Coroutine[Any, Any, Answer]) -> Answer:
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


async def _relay(name: str, answer: Answer) -> AsyncIterator[bytes]:
    """A stream as it comes; closed as soon as the client goes."""
    assert answer.rest is not None
    try:
        yield answer.head
        async for piece in answer.rest:
            yield piece
    except BrokenOff as error:
        _log.error("%s: %s broke off its answer: %s", name, answer.target.provider, error)
        message = f"The answer of {name!r} broke off. Send the request again."
        problem = ApiError(503, message, "provider_unavailable")
        yield b"data: " + json.dumps(problem.body).encode() + b"\n\n"
    finally:
        answer.close()


def _no_answer(name: str, error: NoAnswer) -> ApiError:
    _log.error("%s: no answer: %s", name, error)
    message = (
        f"Nothing that serves {name!r} answers just now. Send the request again: what runs here is "
        "started again, what is elsewhere is tried again."
    )
    return ApiError(503, message, "provider_unavailable", retry_seconds=error.retry_seconds)


def _refusal(refused: Refused, text: str) -> ApiError:
    """A provider's own error in OpenAI's shape; `text` is the field that holds the text."""
    try:
        error = json.loads(refused.body)["error"]
        kind, message = error.get("code") or error.get("type"), str(error["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ApiError(502, f"The provider answered {refused.status}.", "provider_error")
    if error.get("type") == "exceed_context_size_error":  # llama.cpp's
        message = (
            f"The request has {error['n_prompt_tokens']} tokens and the model's context is "
            f"{error['n_ctx']}. Shorten it, or start the service with a larger --context."
        )
        return ApiError(400, message, "context_length_exceeded", text)
    return ApiError(refused.status, message, str(kind), error.get("param"))


async def _show_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body, error.status, error.headers)


async def _show_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse(
        ApiError(error.status_code, error.detail).body, error.status_code, error.headers
    )


async def _show_nothing(request: Request, error: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it: the client has left
