"""One API's requests and answers in another's words: what they have in common."""

import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from archipel.errors import ArchipelError
from archipel.serve.events import event_data

NOT_ITS = (ValueError, KeyError, TypeError, AttributeError, IndexError)  # read of a wrong shape
_BROKEN = "The model's provider does not answer as it should. Ask another model."
_log = logging.getLogger(__name__)


class Unmappable(ArchipelError):
    """A request that another API can't express; `param` is the field."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(f"{param}: {message}")
        self.param = param


class Events(Protocol):
    """The chunks of a chat completion as the events of another API."""

    def of(self, chunk: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The events that one chunk makes; a chunk with `error` makes one that says so."""
        ...

    def end(self) -> Iterator[dict[str, Any]]:
        """The events that end the stream."""
        ...


@contextmanager
def wrong_types_named() -> Iterator[None]:
    """What reading a field of a wrong type raises, as `Unmappable`."""
    try:
        yield
    except (AttributeError, KeyError, TypeError) as error:
        raise Unmappable("request", f"a field has a wrong type ({error}). Correct it") from error


async def translated(pieces: AsyncIterator[bytes], events: Events) -> AsyncIterator[dict[str, Any]]:
    """A chat completion's stream as events; it ends with an error where it is not OpenAI's."""
    async for data in event_data(pieces):
        try:
            made = list(events.end() if data == b"[DONE]" else events.of(json.loads(data)))
        except NOT_ITS as error:
            _log.error("a stream is not OpenAI's: %s", type(error).__name__)
            for event in events.of({"error": {"message": _BROKEN}}):
                yield event
            return
        for event in made:
            yield event


def sent(event: Mapping[str, Any]) -> bytes:
    """An event with its type as its name, as it is sent."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
