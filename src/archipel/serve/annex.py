"""What a service has beside the endpoints that ask models: further endpoints, work of its own."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import Message

from archipel.serve.access import Access
from archipel.serve.dispatch import Dispatcher


class Ask(Protocol):
    """Asks a model as a client would."""

    async def __call__(self, path: str, body: bytes, access: Access) -> bytes:
        """The answer, which must not be a stream. `access` says who asks.

        Raises:
            ApiError: what a client would be told.
        """
        ...


def _idle(ask: Ask) -> AbstractAsyncContextManager[None]:
    return contextlib.nullcontext()


@dataclass(frozen=True)
class Annex:
    """Further endpoints, how they are described, and what goes on while the service runs."""

    routes: Sequence[BaseRoute] = ()
    paths: Mapping[str, Any] = field(default_factory=dict)  # of the OpenAPI document
    schemas: Mapping[str, Any] = field(default_factory=dict)
    working: Callable[[Ask], AbstractAsyncContextManager[None]] = _idle


NO_ANNEX = Annex()


def request_from_within(path: str, body: bytes, dispatcher: Dispatcher) -> Request:
    """A POST that came over no connection, from a client that does not leave."""
    parts: list[Message] = [{"type": "http.request", "body": body}]

    async def receive() -> Message:
        if not parts:
            await asyncio.Event().wait()
        return parts.pop()

    state = {"dispatcher": dispatcher}
    scope = {"type": "http", "method": "POST", "path": path, "headers": [], "state": state}
    return Request(scope, receive)
