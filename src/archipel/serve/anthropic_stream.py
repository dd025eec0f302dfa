"""Anthropic's answers, whole or streamed, as chat completions."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from archipel.errors import IntegrityError
from archipel.serve.events import event_data

_NOT_ITS = (ValueError, KeyError, TypeError, AttributeError)
_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class AnthropicDialect:
    """How to read what Anthropic's API answers; `created` is in seconds since 1970."""

    created: int
    include_usage: bool

    def whole(self, body: bytes) -> bytes:
        """As `Dialect.whole`."""
        try:
            return json.dumps(to_chat_completion(from_json(body), self.created)).encode()
        except _NOT_ITS as error:
            raise IntegrityError("its answer is not Anthropic's") from error

    async def pieces(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """As `Dialect.pieces`."""
        chunks = ChatChunks(self.created, self.include_usage)
        async for data in event_data(pieces):
            try:
                made = list(chunks.of(from_json(data)))
            except _NOT_ITS as error:
                raise IntegrityError("its stream is not Anthropic's") from error
            for chunk in made:
                yield b"data: " + json.dumps(chunk).encode() + b"\n\n"
        if chunks.ended:
            yield b"data: [DONE]\n\n"


def to_chat_completion(message: Fields, created: int) -> dict[str, Any]:
    """Anthropic's answer as a chat completion made at `created`, in seconds since 1970."""
    blocks = message["content"]
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    calls = [
        {
            "id": block["id"],
            "type": "function",
            "function": {"name": block["name"], "arguments": json.dumps(block["input"])},
        }
        for block in blocks
        if block["type"] == "tool_use"
    ]
    said: dict[str, Any] = {"role": "assistant", "content": text or None, "refusal": None}
    if calls:
        said["tool_calls"] = calls
    finish = _FINISH.get(message["stop_reason"], "stop")
    choice = {"index": 0, "message": said, "finish_reason": finish, "logprobs": None}
    head = {"id": message["id"], "object": "chat.completion", "created": created}
    usage = _usage(message["usage"])
    return {**head, "model": message["model"], "choices": [choice], "usage": usage}


def _usage(usage: Fields) -> dict[str, Any]:
    cached = usage.get("cache_read_input_tokens") or 0
    asked = usage.get("input_tokens", 0) + cached + (usage.get("cache_creation_input_tokens") or 0)
    answered = usage.get("output_tokens", 0)
    return {
        "prompt_tokens": asked,
        "completion_tokens": answered,
        "total_tokens": asked + answered,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


@dataclass
class ChatChunks:
    """Anthropic's stream events as the chunks of a chat completion."""

    created: int
    include_usage: bool
    ended: bool = False
    _head: dict[str, Any] = field(default_factory=dict)
    _usage: dict[str, Any] = field(default_factory=dict)
    _calls: int = 0

    def of(self, event: Fields) -> Iterator[dict[str, Any]]:
        """The chunks that one event makes."""
        kind = event.get("type")
        if kind == "message_start":
            message = event["message"]
            self._usage = dict(message["usage"])
            self._head = {"id": message["id"], "model": message["model"]}
            yield self._chunk({"role": "assistant", "content": ""})
        elif kind == "content_block_start" and event["content_block"]["type"] == "tool_use":
            block = event["content_block"]
            function = {"name": block["name"], "arguments": ""}
            yield self._call({"id": block["id"], "type": "function", "function": function})
            self._calls += 1
        elif kind == "content_block_delta":
            yield from self._delta(event["delta"])
        elif kind == "message_delta":
            self._usage |= event.get("usage") or {}
            reason = event["delta"].get("stop_reason")
            yield self._chunk({}, _FINISH.get(reason, "stop"))
        elif kind == "message_stop":
            self.ended = True
            if self.include_usage:
                yield {**self._chunk({}), "choices": [], "usage": _usage(self._usage)}
        elif kind == "error":
            yield {"error": event["error"]}

    def _delta(self, delta: Fields) -> Iterator[dict[str, Any]]:
        if delta["type"] == "text_delta":
            yield self._chunk({"content": delta["text"]})
        elif delta["type"] == "input_json_delta":
            self._calls -= 1  # the call that was begun last
            yield self._call({"function": {"arguments": delta["partial_json"]}})
            self._calls += 1

    def _call(self, call: dict[str, Any]) -> dict[str, Any]:
        return self._chunk({"tool_calls": [{"index": self._calls, **call}]})

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        head = {**self._head, "object": "chat.completion.chunk", "created": self.created}
        return {**head, "choices": [choice]}
