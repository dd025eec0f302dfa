"""What is told of each request: an id, metrics, a line in the log, a trace.

Nothing of what is asked or answered is in any of them.
"""

import logging
import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from archipel.serve.counting import Tokens
from archipel.serve.metrics import Course, Metrics
from archipel.serve.routing import Target

_log = logging.getLogger("archipel.serve.requests")


class Tracer(Protocol):
    """Follows requests and what is asked of targets for them."""

    def follow(self, course: Course, headers: Mapping[bytes, bytes]) -> None:
        """A request has come, with these headers."""
        ...

    def target(self, target: Target) -> AbstractContextManager[Mapping[str, str]]:
        """For the time in which a target is asked; gives the headers that it is to be sent."""
        ...


@dataclass(frozen=True)
class Telemetry:
    """What is on; metrics are always counted."""

    metrics: Metrics = field(default_factory=Metrics)
    logs_requests: bool = False
    tracer: Tracer | None = None

    def course(self, scope: Scope) -> Course:
        """Of a request that has come."""
        course = self.metrics.asked(scope["path"])
        course.id = scope.get("request_id", "")
        if self.logs_requests:
            course.followers.append(_write)
        if self.tracer:
            self.tracer.follow(course, dict(scope["headers"]))
        return course


class RequestIds:
    """Gives each request an id, in its scope and in its answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        id = f"req_{secrets.token_hex(16)}"
        scope["request_id"] = id

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", id.encode())]
            await send(message)

        await self._app(scope, receive, sent)


def _write(course: Course, outcome: str, code: str, tokens: Tokens | None) -> None:
    fields: dict[str, Any] = {
        "request": course.id,
        "endpoint": course.endpoint,
        "key": course.key,
        "model": course.model,
        "provider": course.target.provider if course.target else "",
        "provider_model": course.target.model if course.target else "",
        "outcome": outcome,
        "code": code,
        "prompt_tokens": tokens.prompt if tokens else 0,
        "completion_tokens": tokens.completion if tokens else 0,
        "seconds": round(course.seconds(), 3),
    }
    told = "%(request)s %(endpoint)s %(model)s: %(outcome)s in %(seconds)s s"
    _log.info(told, fields, extra=fields)
