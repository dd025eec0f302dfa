"""How many tokens a request may take, and how many it took. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

_IMAGE_TOKENS = 4096  # more than known models take of one picture
_MESSAGE_TOKENS = 16  # that a chat template puts around a message
_BYTES_A_TOKEN = 4  # about, where a provider does not say
_MOST_TOKENS = 1 << 31  # times the highest price, it is a number that a database holds
_EVENT_ENDS = re.compile(rb"(?<=\n\n)|(?<=\n\r\n)")
_EVENT_LIMIT_BYTES = 1 << 20  # what is longer is passed on as it comes
_ALSO_IN_PROMPT = ("tools", "functions", "response_format")
_USAGE = re.compile(rb'"usage"\s*:\s*\{')


@dataclass(frozen=True)
class Tokens:
    """Of one request."""

    prompt: int
    completion: int
    estimated: bool = False


def most_prompt_tokens(fields: Mapping[str, Any]) -> int:
    """An upper bound: no tokeniser makes more tokens than there are bytes."""
    messages = fields.get("messages")
    if isinstance(messages, list):
        others = sum(_bytes(fields.get(name)) for name in _ALSO_IN_PROMPT)
        return sum(map(_most_of_message, messages)) + others
    return _bytes(fields.get("prompt", fields.get("input"))) + _bytes(fields.get("suffix"))


def most_completion_tokens(fields: Mapping[str, Any]) -> int | None:
    """What the client allows the answers to have, all together; None if it does not say."""
    given = [_whole(fields.get(name)) for name in ("max_completion_tokens", "max_tokens")]
    most = max(given)
    return most * answers(fields) if most else None


def answers(fields: Mapping[str, Any]) -> int:
    """How many answers the client asks for."""
    return max(1, _whole(fields.get("n")), _whole(fields.get("best_of")))


def tokens_of(fields: Mapping[str, Any], answer: bytes) -> Tokens:
    """What a request took whose answer is whole; an estimate where the provider does not say."""
    try:
        said = _tokens(from_json(answer))
    except ValueError:
        said = None
    return said or _estimate(fields, len(answer) // _BYTES_A_TOKEN + 1)


class StreamCount:
    """Follows a stream: what its last event says of tokens, or how many events there were.

    With `hides_usage` the event that only says it, which the client did not ask for, is left out.
    """

    def __init__(self, *, hides_usage: bool) -> None:
        self._hides_usage = hides_usage
        self._pending = b""  # an event that has not ended
        self._said: Tokens | None = None
        self._events = 0

    def take(self, piece: bytes) -> bytes:
        """The next bytes of the stream; gives what goes to the client, whole events."""
        if piece.endswith(b"\n\n") and not self._pending and b'"usage"' not in piece:
            self._events += _events(piece)  # what most pieces are takes no search for their ends
            return piece
        data = self._pending + piece
        end = _end_of_events(data) if len(data) <= _EVENT_LIMIT_BYTES else len(data)
        whole, self._pending = data[:end], data[end:]
        self._events += _events(whole)
        return self._without_usage(whole) if _USAGE.search(whole) else whole

    def rest(self) -> bytes:
        """What is left when the stream has ended."""
        return self._pending

    def tokens(self, fields: Mapping[str, Any]) -> Tokens:
        """What the request took; an estimate where the provider did not say."""
        return self._said or _estimate(fields, self._events)

    def _without_usage(self, events: bytes) -> bytes:
        kept = [event for event in _split(events) if not self._is_usage(event)]
        return b"".join(kept)

    def _is_usage(self, event: bytes) -> bool:
        """Whether an event is to be left out; remembers what it says."""
        if not _USAGE.search(event):
            return False
        try:
            said = from_json(event.partition(b":")[2])
            self._said = _tokens(said) or self._said
        except ValueError:
            return False
        return self._hides_usage and not said.get("choices")


def usual_prompt_tokens(fields: Mapping[str, Any]) -> int:
    """About how many tokens a prompt has."""
    return most_prompt_tokens(fields) // _BYTES_A_TOKEN + 1


def _estimate(fields: Mapping[str, Any], completion: int) -> Tokens:
    return Tokens(usual_prompt_tokens(fields), completion, estimated=True)


def _tokens(answer: Any) -> Tokens | None:
    usage = answer.get("usage") if isinstance(answer, dict) else None
    if not isinstance(usage, dict):
        return None
    return Tokens(_whole(usage.get("prompt_tokens")), _whole(usage.get("completion_tokens")))


def _events(whole: bytes) -> int:
    return whole.count(b"\ndata:") + whole.startswith(b"data:")


def _split(events: bytes) -> list[bytes]:
    """Each event with the empty line that ends it."""
    if b"\r" in events:  # an expression takes 0.4 ms for 100 events
        return _EVENT_ENDS.split(events)
    *whole, rest = events.split(b"\n\n")
    return [*(event + b"\n\n" for event in whole), rest]


def _end_of_events(data: bytes) -> int:
    newline = data.rfind(b"\n\n")
    carriage = data.rfind(b"\r\n\r\n")
    return max(newline + 2 if newline >= 0 else 0, carriage + 4 if carriage >= 0 else 0)


def _most_of_message(message: Any) -> int:
    content = message.get("content") if isinstance(message, dict) else message
    if not isinstance(content, list):
        return _bytes(message) + _MESSAGE_TOKENS
    others = {name: value for name, value in message.items() if name != "content"}
    return sum(map(_most_of_part, content)) + _bytes(others) + _MESSAGE_TOKENS


def _most_of_part(part: Any) -> int:
    is_image = isinstance(part, dict) and part.get("type") == "image_url"
    return _IMAGE_TOKENS if is_image else _bytes(part)


def _bytes(value: Any) -> int:
    if value is None:
        return 0
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return len(text.encode("utf-8", "replace"))


def _whole(value: Any) -> int:
    return min(value, _MOST_TOKENS) if isinstance(value, int) and value > 0 else 0
