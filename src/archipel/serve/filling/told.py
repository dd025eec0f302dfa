"""Completions of OpenAI's shape as editors' programs want to be told. Pure."""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from archipel.errors import IntegrityError
from archipel.serve.events import event_data
from archipel.serve.translation import NOT_ITS

Fields = Mapping[str, Any]
_BROKEN = "The model's provider does not answer as it should. Ask another model."


@dataclass(frozen=True)
class Retold:
    """A dialect: `tell` makes the client's object of a whole answer or of one piece of a stream,
    `framed` its bytes in a stream, `end` the last of them."""

    tell: Callable[[Fields, bool], dict[str, Any] | None]  # a piece; whether it is of a stream
    framed: Callable[[Fields], bytes]
    end: bytes = b""

    def whole(self, body: bytes) -> bytes:
        """As `Dialect.whole`."""
        try:
            return json.dumps(self.tell(json.loads(body), False)).encode()
        except NOT_ITS as error:
            raise IntegrityError("the provider's answer is not OpenAI's") from error

    async def pieces(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """As `Dialect.pieces`."""
        async for data in event_data(pieces):
            if data == b"[DONE]":
                yield self.end
                return
            for told in self._told(data):
                yield self.framed(told)

    def _told(self, data: bytes) -> Iterator[Fields]:
        try:
            event = json.loads(data)
            told = {"error": event["error"]} if "error" in event else self.tell(event, True)
        except NOT_ITS:
            told = {"error": {"message": _BROKEN}}
        if told is not None:
            yield told


def infilled(wanted: bool) -> Retold:
    """llama.cpp's shape; without `wanted` nothing but that the prompt was read."""

    def tell(event: Fields, streams: bool) -> dict[str, Any] | None:
        text, reason = _said(event)
        if text is None:
            return None
        usage = event.get("usage") or {}
        counted = {
            "tokens_evaluated": usage.get("prompt_tokens", 0),
            "tokens_predicted": usage.get("completion_tokens", 0),
        }
        stop = not streams or reason is not None
        return {"content": text if wanted else "", "stop": stop, "model": event.get("model")} | (
            counted if stop else {}
        )

    return Retold(tell, _event)


def fim_completed() -> Retold:
    """Mistral's shape: a chat's."""

    def tell(event: Fields, streams: bool) -> dict[str, Any]:
        name = "delta" if streams else "message"
        choices = [
            {
                "index": choice.get("index", 0),
                name: {"role": "assistant", "content": choice.get("text") or ""},
                "finish_reason": choice.get("finish_reason"),
            }
            for choice in event.get("choices") or ()
        ]
        kind = "chat.completion.chunk" if streams else "chat.completion"
        return {**event, "object": kind, "choices": choices}

    return Retold(tell, _event, b"data: [DONE]\n\n")


def tabby_completed() -> Retold:
    """Tabby's shape."""

    def tell(event: Fields, streams: bool) -> dict[str, Any]:
        choices = [
            {"index": choice.get("index", 0), "text": choice.get("text") or ""}
            for choice in event["choices"]
        ]
        return {"id": event.get("id") or "completion", "choices": choices}

    return Retold(tell, _event)


def generated(model: str, now: Callable[[], float]) -> Retold:
    """Ollama's shape, a line of JSON a piece."""

    def tell(event: Fields, streams: bool) -> dict[str, Any] | None:
        text, reason = _said(event)
        if text is None:
            return None
        done = not streams or reason is not None
        created = datetime.fromtimestamp(now(), UTC).isoformat().replace("+00:00", "Z")
        told = {"model": model, "created_at": created, "response": text, "done": done}
        if not done:
            return told
        usage = event.get("usage") or {}
        counted = {
            "prompt_eval_count": usage.get("prompt_tokens", 0),
            "eval_count": usage.get("completion_tokens", 0),
        }
        return told | {"done_reason": reason or "stop", **counted}

    return Retold(tell, lambda told: json.dumps(told).encode() + b"\n")


def _said(event: Fields) -> tuple[str | None, str | None]:
    """The text of the first choice, of a completion or of a chat, and why it ended."""
    choices = event.get("choices") or ()
    if not choices:
        return None, None
    choice = choices[0]
    message = choice.get("delta") or choice.get("message") or {}
    return choice.get("text") or message.get("content") or "", choice.get("finish_reason")


def _event(told: Fields) -> bytes:
    return b"data: " + json.dumps(told).encode() + b"\n\n"
