"""The API, OpenAI's and Anthropic's: checks each request, has it answered, passes the answer on.

Knows nothing about who answers; to OpenAI's clients a provider's own answer goes byte for byte.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel
from pydantic_core import from_json
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from archipel.errors import IntegrityError
from archipel.hosts import LOCAL_HOSTS
from archipel.serve import media, messages, responses
from archipel.serve.access import Access, Caller, visible
from archipel.serve.annex import NO_ANNEX, Annex, Ask, request_from_within
from archipel.serve.api_error import ApiError, retry_after
from archipel.serve.body import read_body, read_fields
from archipel.serve.counting import Tokens, tokens_of
from archipel.serve.dispatch import Dispatcher, NoAnswer
from archipel.serve.filling.routes import Editors, ToQuestion
from archipel.serve.lent_pictures import LentPictures
from archipel.serve.media import media_tokens
from archipel.serve.messages_stream import MessagesDialect
from archipel.serve.metrics import Course
from archipel.serve.observers import Nobody, Observer, Usual
from archipel.serve.openapi import document
from archipel.serve.providers import Directory
from archipel.serve.question import Dialect, Question
from archipel.serve.redaction import without
from archipel.serve.relayed import Relayed
from archipel.serve.request_fields import (
    ChatRequest,
    CommonFields,
    CompletionRequest,
    EmbeddingRequest,
    MessagesRequest,
    ResponsesRequest,
)
from archipel.serve.responses_stream import ResponsesDialect
from archipel.serve.routing import Policy
from archipel.serve.ruled import answered
from archipel.serve.telemetry import RequestIds, Telemetry
from archipel.serve.translation import Unmappable
from archipel.serve.upstream import Answer, Refused, client_session

_BODY_SECONDS = 60.0  # that a request may take to come
_HEADER_SAFE = "".join(map(chr, range(0x20, 0x7F)))
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gateway:
    """The endpoints. The dispatcher over the same directory is in each request's state."""

    directory: Directory
    access: Access
    observer: Observer
    telemetry: Telemetry
    body_seconds: float
    annex: Annex
    lent: LentPictures

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def openapi(self, request: Request) -> Response:
        return JSONResponse(document(self.annex))

    async def models(self, request: Request) -> Response:
        caller = await self.access.admit(request)
        models = [
            {
                **{"id": name, "object": "model", "created": 0, "owned_by": "archipel"},
                **self.directory.offers.get(name, {}),
            }
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
        return await self.translated(
            request, MessagesRequest, _chat(messages.to_chat_request), lambda _: MessagesDialect()
        )

    async def responses(self, request: Request) -> Response:
        def dialect(fields: Mapping[str, Any]) -> Dialect:
            return ResponsesDialect(fields, int(time.time()))

        question = _chat(responses.to_chat_request)
        return await self.translated(request, ResponsesRequest, question, dialect)

    def asking(self, dispatcher: Dispatcher) -> Ask:
        """How the annex asks what clients may ask."""

        async def ask(path: str, body: bytes, access: Access) -> bytes:
            gateway = replace(self, access=access)
            handlers = {
                "/v1/chat/completions": gateway.chat,
                "/v1/completions": gateway.completions,
                "/v1/embeddings": gateway.embeddings,
                "/v1/responses": gateway.responses,
                "/v1/messages": gateway.messages,
            }
            response = await handlers[path](request_from_within(path, body, dispatcher))
            return bytes(response.body)

        return ask

    async def translated(
        self,
        request: Request,
        fields: type[BaseModel],
        to_question: ToQuestion,
        dialect: Callable[[Mapping[str, Any]], Dialect],
    ) -> Response:
        """Answer another API's request as the one of OpenAI's that asks the same."""
        with self.telemetry.course(request.scope) as course:
            caller = await self.access.admit(request)
            body = await read_body(request, self.body_seconds)
            asked = read_fields(body, fields)
            try:
                question = to_question(asked, caller)
            except Unmappable as error:
                raise ApiError(400, str(error), "unsupported", error.param) from error
            return await self._relay(request, caller, question, dialect(asked), course)

    async def ask(
        self, request: Request, read: Callable[[Request], Awaitable[Question]]
    ) -> Response:
        """Answer a question, which `read` makes of a request, as its provider does."""
        with self.telemetry.course(request.scope) as course:
            caller = await self.access.admit(request)
            question = await read(request)
            dialect = self.lent.dialect(question, request)
            return await self._relay(request, caller, question, dialect, course)

    async def _answer(self, request: Request, fields: type[CommonFields]) -> Response:
        async def read(request: Request) -> Question:
            body = await read_body(request, self.body_seconds)
            path = request.scope["path"]  # url.path takes in the Host header
            return Question(path.removeprefix("/v1"), read_fields(body, fields), body)

        return await self.ask(request, read)

    async def _relay(
        self,
        request: Request,
        caller: Caller,
        question: Question,
        dialect: Dialect,
        course: Course,
    ) -> Response:
        """Have it answered, and pass the answer on in the client's dialect."""
        name, began = question.fields["model"], time.monotonic()
        course.key = caller.shown
        policy = self._policy(name, caller)
        course.model = name
        visit = await caller.begin(question, policy)
        dispatcher: Dispatcher = request.state.dispatcher
        seen = self.observer.wants(name, visit)
        try:
            asking = dispatcher.answer(name, visit.question)
            answer = await _unless_client_leaves(request, asking)
        except BaseException as error:
            left = isinstance(error, ClientDisconnect | asyncio.CancelledError)
            visit.ended("left" if left else "failed", None, None)
            if told := _told(name, error, question.endpoint):
                raise told from error
            raise
        course.target = answer.target
        course.begun()

        def ended(outcome: str, code: str, tokens: Tokens, whole: bytes) -> None:
            visit.ended(outcome, answer.target, tokens)
            course.ended(outcome, code, tokens)
            if seen and outcome == "answered":
                usual = Usual(answer.target, whole, time.monotonic() - began, tokens)
                seen(dispatcher, visit.question, usual)

        provider = quote(answer.target.provider, _HEADER_SAFE)
        headers = {**visit.headers, "X-Archipel-Provider": provider}
        if answer.rest is not None:
            return Relayed(answer, visit, ended, headers, dialect, keeps=seen is not None)
        head, count = answer.head, media_tokens if question.is_media else tokens_of
        tokens = count(visit.question.fields, head)
        try:
            if visit.watch:
                head = await asyncio.to_thread(answered, head, visit.watch)
            told_whole = dialect.whole(head)
        except IntegrityError as error:
            visit.ended("failed", answer.target, tokens)
            raise ApiError(502, f"{name!r}: {error}", "provider_error") from error
        ended("answered", "", tokens, head)
        return Response(told_whole, 200, headers, answer.content_type)

    def _policy(self, model: str, caller: Caller) -> Policy:
        policies = self.directory.policies
        if model not in policies or not caller.may_ask(model):
            names = ", ".join(visible(policies, caller)) or "none that this key opens"
            message = f"The model {model!r} does not exist here. Ask for one of: {names}."
            raise ApiError(404, message, "model_not_found", "model")
        return policies[model]


def _chat(to_chat: Callable[[Mapping[str, Any]], dict[str, Any]]) -> ToQuestion:
    return lambda asked, caller: Question("/chat/completions", to_chat(asked), None)


_TEXT_FIELDS = {"/chat/completions": "messages", "/completions": "prompt", "/embeddings": "input"}


def create_app(
    directory: Directory,
    access: Access,
    observer: Observer | None = None,
    telemetry: Telemetry | None = None,
    *,
    annex: Annex = NO_ANNEX,
    body_seconds: float = _BODY_SECONDS,
) -> Starlette:
    """The service over its providers. Without keys it answers to this machine's names only."""
    telemetry = telemetry or Telemetry()
    lent = LentPictures(time.monotonic)
    gateway = Gateway(directory, access, observer or Nobody(), telemetry, body_seconds, annex, lent)
    editors = Editors(gateway.translated, access, directory, body_seconds, time.time)

    @contextlib.asynccontextmanager
    async def dispatching(app: Starlette) -> AsyncIterator[dict[str, Dispatcher]]:
        async with client_session() as session:
            draw = partial(secrets.token_bytes, 16)
            metrics, tracer = telemetry.metrics, telemetry.tracer
            dispatcher = Dispatcher(directory, session, draw=draw, metrics=metrics, tracer=tracer)
            async with annex.working(gateway.asking(dispatcher)):
                yield {"dispatcher": dispatcher}
            await gateway.observer.leave()  # before the session, whose end would look like failures

    # A page of another site can point its own name at 127.0.0.1; it can't change the Host header.
    local_only = Middleware(TrustedHostMiddleware, allowed_hosts=LOCAL_HOSTS, www_redirect=False)
    return Starlette(
        lifespan=dispatching,
        routes=[
            Route("/health", gateway.health),
            Route("/openapi.json", gateway.openapi),
            Route("/v1/models", gateway.models),
            Route("/v1/chat/completions", gateway.chat, methods=["POST"]),
            Route("/v1/completions", gateway.completions, methods=["POST"]),
            Route("/v1/embeddings", gateway.embeddings, methods=["POST"]),
            Route("/v1/responses", gateway.responses, methods=["POST"]),
            Route("/v1/messages", gateway.messages, methods=["POST"]),
            *media.routes(gateway.ask, body_seconds),
            lent.route(),
            *editors.routes(),
            *annex.routes,
        ],
        middleware=[Middleware(RequestIds), *([local_only] if access.is_local else [])],
        exception_handlers={
            ApiError: _show_api_error,
            HTTPException: _show_http_exception,
            ClientDisconnect: _show_nothing,
        },
    )


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


def _told(name: str, error: BaseException, endpoint: str) -> ApiError | None:
    """What the client is told of an error; None if it is not about the request."""
    if isinstance(error, NoAnswer):
        return _no_answer(name, error)
    if isinstance(error, Unmappable):
        return ApiError(400, str(error), "unsupported_by_provider", error.param)
    if isinstance(error, Refused):
        return _refusal(error, _TEXT_FIELDS.get(endpoint, "prompt"))
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
        error = from_json(refused.body)["error"]
        kind, message = error.get("code") or error.get("type"), str(error["message"])
        if error.get("type") == "exceed_context_size_error":  # llama.cpp's
            message = (
                f"The request has {error['n_prompt_tokens']} tokens and the model's context is "
                f"{error['n_ctx']}. Shorten it, or start the service with a larger --context."
            )
            return ApiError(400, message, "context_length_exceeded", text)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ApiError(502, f"The provider answered {refused.status}.", "provider_error")
    clean = partial(without, refused.keys)
    code = clean(str(kind)) if isinstance(kind, str | int) else None
    param = error.get("param")
    place = clean(param) if isinstance(param, str) else None
    return ApiError(refused.status, clean(message), code, place)


async def _show_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body_at(request.scope["path"]), error.status, error.headers)


async def _show_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body = ApiError(error.status_code, error.detail).body_at(request.scope["path"])
    return JSONResponse(body, error.status_code, error.headers)


async def _show_nothing(request: Request, error: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it: the client has left
