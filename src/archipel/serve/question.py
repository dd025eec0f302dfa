"""What a client asks, and how the answer to it becomes one with OpenAI's shape. Pure."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Question:
    """A client's request: the endpoint below /v1, its body parsed, and as it came if it is that."""

    endpoint: str  # "/chat/completions"
    fields: Mapping[str, Any]
    body: bytes | None
    is_media = False  # pictures or sounds: then an answer need not be OpenAI's JSON

    @property
    def media_type(self) -> str:
        """Of the body."""
        return "application/json"

    @property
    def streams(self) -> bool:
        """Whether the answer is to come piece by piece."""
        return bool(self.fields.get("stream"))

    def to(self, model: str) -> bytes:
        """The body for a provider that calls the model so."""
        if self.body is not None and self.fields["model"] == model:
            return self.body
        return json.dumps({**self.fields, "model": model}).encode()


@dataclass(frozen=True)
class Gap(Question):
    """A completion with a `suffix`. `begun`: the end of its prompt that stands in the gap already,
    so that what is before stays the same while a line is typed."""

    begun: str = ""


class Dialect(Protocol):
    """How a provider's answer becomes one with OpenAI's shape."""

    def whole(self, body: bytes) -> bytes:
        """An answer that is not streamed.

        Raises:
            IntegrityError: it is not what such a provider gives.
        """
        ...

    def pieces(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """A stream; raises as `whole`."""
        ...


class _AsItIs:
    def whole(self, body: bytes) -> bytes:
        return body

    def pieces(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return pieces


OPENAI = _AsItIs()
