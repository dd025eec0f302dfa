"""The API, OpenAI's and Anthropic's: checks each request, has it answered, passes the answer on.

Knows nothing about who answers; to OpenAI's clients a provider's own answer goes byte for byte.
"""

import asyncio
import contextlib
import json
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
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
from starlette.types import Receive, Scope, Send

from archipel.errors import IntegrityError
from archipel.hosts import LOCAL_HOSTS
from archipel.serve import messages, responses
from archipel.serve.access import Access, Caller, Visit, visible
from archipel.serve.anthropic import Unmappable
from archipel.serve.api_error import ApiError, retry_after
from archipel.serve.counting import StreamCount, tokens_of
from archipel.serve.dispatch import Dispatcher, NoAnswer
from archipel.serve.messages_stream import MessagesDialect
from archipel.serve.metrics import Course, Metrics
from archipel.serve.providers import OPENAI, Dialect, Directory, Question
from archipel.serve.responses_stream import ResponsesDialect
from archipel.serve.routing import Policy
from archipel.serve.upstream import Answer, BrokenOff, Refused, client_session

_BODY_LIMIT_BYTES = 4 << 20
_MESSAGES = "/v1/messages"  # Anthropic's API
_log = logging.getLogger(__name__)


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
    max_completion_tokens: int | None = Field(default=None, ge=0)
    n: int | None = Field(default=None, ge=1, le=128)
    stream_options: dict[str, Any] | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)


class ChatRequest(_CommonFields):
    messages: list[_ChatMessage] = Field(min_length=1)


class CompletionRequest(_CommonFields):
    prompt: str | list[Any]


class EmbeddingRequest(_CommonFields):
    input: str | list[Any]


class MessagesRequest(BaseModel):
    """As `_CommonFields`, of Anthropic's Messages API."""

    model_config = ConfigDict(extra="allow", strict=True)
    model: str
    messages: list[dict[str, Any]] = Field(min_length=1)
    max_tokens: int = Field(ge=1)
    stream: bool | None = None
    temperature: float | None = Field(default=None, ge=0, le=1)


class ResponsesRequest(BaseModel):
    """As `_CommonFields`, of OpenAI's Responses API."""

    model_config = ConfigDict(extra="allow", strict=True)
    model: str
    input: str | list[dict[str, Any]] = Field(min_length=1)
    max_output_tokens: int | None = Field(default=None, ge=1)
    stream: bool | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)


@dataclass(frozen=True)
class Gateway:
    """The endpoints. The dispatcher over the same directory is in each request's state."""

    directory: Directory
    access: Access
    metrics: Metrics

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def models(self, request: Request) -> Response:
        caller = await self.access.admit(request)
        models = [
            {"id": name, "object": "model", "created": 0, "owned_by": "archipel"}
            for name in visible(self.directory.policies, caller)
        ]
        return JSONResponse({"object": "list", "data": models})

    async def chat(self, request: Request) -> Response:
        return await self._answer(request, ChatRequest)

    async def completions(self, request: Request) -> Response:
        return await self._answer(request, CompletionRequest)

    async def embeddings(self, request: Request) -> Response:
        return await self._answer(request, EmbeddingRequest)

    async def messages(self, request: Request) -> Response:
        return await self._translated(
            request, MessagesRequest, messages.to_chat_request, lambda fields: MessagesDialect()
        )

    async def responses(self, request: Request) -> Response:
        def dialect(fields: Mapping[str, Any]) -> Dialect:
            return ResponsesDialect(fields, int(time.time()))

        return await self._translated(request, ResponsesRequest, responses.to_chat_request, dialect)

    async def _translated(
        self,
        request: Request,
        fields: type[BaseModel],
        to_chat: Callable[[Mapping[str, Any]], dict[str, Any]],
        dialect: Callable[[Mapping[str, Any]], Dialect],
    ) -> Response:
        """Answer another API's request as the chat completion request that asks the same."""
        with self.metrics.asked(request.url.path) as course:
            caller = await self.access.admit(request)
            body = await _read_body(request)
            _parse(body, fields)
            asked = json.loads(body)
            try:
                question = Question("/chat/completions", to_chat(asked), None)
            except Unmappable as error:
                raise ApiError(400, str(error), "unsupported", error.param) from error
            return await self._relay(request, caller, question, dialect(asked), course)

    async def _answer(self, request: Request, fields: type[_CommonFields]) -> Response:
        with self.metrics.asked(request.url.path) as course:
            caller = await self.access.admit(request)
            body = await _read_body(request)
            _parse(body, fields)
            question = Question(request.url.path.removeprefix("/v1"), json.loads(body), body)
            return await self._relay(request, caller, question, OPENAI, course)

    async def _relay(
        self,
        request: Request,
        caller: Caller,
        question: Question,
        dialect: Dialect,
        course: Course,
    ) -> Response:
        """Have it answered, and pass the answer on in the client's dialect."""
        name = question.fields["model"]
        policy = self._policy(name, caller)
        course.model = name
        visit = await caller.begin(question, policy)
        dispatcher: Dispatcher = request.state.dispatcher
        try:
            asking = dispatcher.answer(name, visit.question)
            answer = await _unless_client_leaves(request, asking)
        except BaseException as error:
            left = isinstance(error, ClientDisconnect | asyncio.CancelledError)
            visit.ended("left" if left else "failed", None, None)
            if told := _told(name, error, question.endpoint):
                raise told from error
            raise
        course.begun()
        headers = {**visit.headers, "X-Archipel-Provider": answer.target.provider}
        if answer.rest is not None:
            return _Relayed(course, answer, visit, headers, dialect)
        tokens = tokens_of(visit.question.fields, answer.head)
        visit.ended("answered", answer.target, tokens)
        try:
            whole = dialect.whole(answer.head)
        except IntegrityError as error:
            raise ApiError(502, f"{name!r}: {error}", "provider_error") from error
        course.ended("answered", tokens=tokens)
        return Response(whole, 200, headers, answer.content_type)

    def _policy(self, model: str, caller: Caller) -> Policy:
        policies = self.directory.policies
        if model not in policies or not caller.may_ask(model):
            names = ", ".join(visible(policies, caller)) or "none that this key opens"
            message = f"The model {model!r} does not exist here. Ask for one of: {names}."
            raise ApiError(404, message, "model_not_found", "model")
        return policies[model]


_TEXT_FIELDS = {"/chat/completions": "messages", "/completions": "prompt", "/embeddings": "input"}


def create_app(directory: Directory, access: Access, metrics: Metrics | None = None) -> Starlette:
    """The service over its providers. Without keys it answers to this machine's names only."""
    metrics = metrics or Metrics()
    gateway = Gateway(directory, access, metrics)

    @contextlib.asynccontextmanager
    async def dispatching(app: Starlette) -> AsyncIterator[dict[str, Dispatcher]]:
        async with client_session() as session:
            draw = partial(secrets.token_bytes, 16)
            yield {"dispatcher": Dispatcher(directory, session, draw=draw, metrics=metrics)}

    # A page of another site can point its own name at 127.0.0.1; it can't change the Host header.
    local_only = Middleware(TrustedHostMiddleware, allowed_hosts=LOCAL_HOSTS, www_redirect=False)
    return Starlette(
        lifespan=dispatching,
        routes=[
            Route("/health", gateway.health),
            Route("/v1/models", gateway.models),
            Route("/v1/chat/completions", gateway.chat, methods=["POST"]),
            Route("/v1/completions", gateway.completions, methods=["POST"]),
            Route("/v1/embeddings", gateway.embeddings, methods=["POST"]),
            Route("/v1/responses", gateway.responses, methods=["POST"]),
            Route(_MESSAGES, gateway.messages, methods=["POST"]),
        ],
        middleware=[local_only] if access.is_local else [],
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


def _parse(body: bytes, fields: type[BaseModel]) -> None:
    try:
        fields.model_validate_json(body)
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


class _Relayed(StreamingResponse):
    """A stream as it comes; closed and settled as soon as it ends or the client goes."""

    def __init__(
        self,
        course: Course,
        answer: Answer,
        visit: Visit,
        headers: Mapping[str, str],
        dialect: Dialect,
    ) -> None:
        super().__init__(dialect.pieces(self._pieces()), 200, headers, answer.content_type)
        self._course, self._answer, self._visit = course, answer, visit
        self._count = StreamCount(hides_usage=visit.hides_usage)
        self._outcome, self._code = "left", ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:  # of the response, not of the pieces, of which the first may never be asked for
            self._answer.close()
            tokens = self._count.tokens(self._visit.question.fields)
            self._visit.ended(self._outcome, self._answer.target, tokens)
            self._course.ended(self._outcome, self._code, tokens)

    async def _pieces(self) -> AsyncIterator[bytes]:
        assert self._answer.rest is not None
        try:
            yield self._count.take(self._answer.head)
            async for piece in self._answer.rest:
                yield self._count.take(piece)
            yield self._count.rest()
            self._outcome = "answered"
        except BrokenOff as error:
            name, provider = self._course.model, self._answer.target.provider
            _log.error("%s: %s broke off its answer: %s", name, provider, error)
            message = f"The answer of {name!r} broke off. Send the request again."
            problem = ApiError(503, message, "provider_unavailable")
            self._outcome, self._code = "failed", "provider_unavailable"
            yield b"data: " + json.dumps(problem.body).encode() + b"\n\n"


def _told(name: str, error: BaseException, endpoint: str) -> ApiError | None:
    """What the client is told of an error; None if it is not about the request."""
    if isinstance(error, NoAnswer):
        return _no_answer(name, error)
    if isinstance(error, Unmappable):
        return ApiError(400, str(error), "unsupported_by_provider", error.param)
    if isinstance(error, Refused):
        return _refusal(error, _TEXT_FIELDS[endpoint])
    return None


def _no_answer(name: str, error: NoAnswer) -> ApiError:
    _log.error("%s: no answer: %s", name, error)
    message = (
        f"Nothing that serves {name!r} answers just now. Send the request again: what runs here is "
        "started again, what is elsewhere is tried again."
    )
    return ApiError(503, message, "provider_unavailable", headers=retry_after(error.retry_seconds))


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
    body = error.messages_body if request.url.path == _MESSAGES else error.body
    return JSONResponse(body, error.status, error.headers)


async def _show_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse(
        ApiError(error.status_code, error.detail).body, error.status_code, error.headers
    )


async def _show_nothing(request: Request, error: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it: the client has left
