"""Chat completions, whole or streamed, as answers of Anthropic's Messages API."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from archipel.errors import IntegrityError
from archipel.serve.translation import NOT_ITS, sent, translated

_STOP = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}

Fields = Mapping[str, Any]


class MessagesDialect:
    """How an answer in OpenAI's shape is told to a client that speaks Anthropic's."""

    def whole(self, body: bytes) -> bytes:
        """As `Dialect.whole`."""
        try:
            return json.dumps(to_message(json.loads(body))).encode()
        except NOT_ITS as error:
            raise IntegrityError("the provider's answer is not OpenAI's") from error

    async def pieces(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """As `Dialect.pieces`."""
        async for event in translated(pieces, MessageEvents()):
            yield sent(event)


def to_message(completion: Fields) -> dict[str, Any]:
    """A chat completion as Anthropic's message."""
    choice = completion["choices"][0]
    said = choice["message"]
    blocks: list[dict[str, Any]] = []
    if said.get("content"):
        blocks.append({"type": "text", "text": said["content"]})
    for call in said.get("tool_calls") or ():
        given = json.loads(call["function"]["arguments"] or "{}")
        head = {"type": "tool_use", "id": call["id"], "name": call["function"]["name"]}
        blocks.append({**head, "input": given})
    message = _message(completion, _usage(completion.get("usage") or {}))
    reason = _STOP.get(choice["finish_reason"], "end_turn")
    return {**message, "content": blocks, "stop_reason": reason}


def _message(completion: Fields, usage: Fields) -> dict[str, Any]:
    name = completion.get("id") or "msg"
    head = {"id": name, "type": "message", "role": "assistant"}
    stop = {"stop_reason": None, "stop_sequence": None}
    return {**head, "model": completion.get("model") or "", "content": [], **stop, "usage": usage}


def _usage(usage: Fields) -> dict[str, Any]:
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return {
        "input_tokens": (usage.get("prompt_tokens") or 0) - cached,
        "cache_read_input_tokens": cached,
        "output_tokens": usage.get("completion_tokens") or 0,
    }


@dataclass
class MessageEvents:
    """The chunks of a chat completion as Anthropic's stream events."""

    _usage: dict[str, Any] = field(default_factory=lambda: _usage({}))
    _reason: str = "end_turn"
    _begun: bool = False
    _block: int = -1  # the last block's number
    _open: str | int | None = None  # what it is: text, or the number of a tool call

    def of(self, chunk: Fields) -> Iterator[dict[str, Any]]:
        """The events that one chunk makes."""
        if error := chunk.get("error"):
            yield {"type": "error", "error": {"type": "api_error", "message": error["message"]}}
            return
        if not self._begun:
            self._begun = True
            yield {"type": "message_start", "message": _message(chunk, self._usage)}
        if chunk.get("usage"):
            self._usage = _usage(chunk["usage"])
        for choice in chunk["choices"]:
            delta = choice.get("delta") or {}
            if delta.get("content"):
                yield from self._begin("text", {"type": "text", "text": ""})
                yield self._delta({"type": "text_delta", "text": delta["content"]})
            for call in delta.get("tool_calls") or ():
                yield from self._call(call)
            if choice.get("finish_reason"):
                self._reason = _STOP.get(choice["finish_reason"], "end_turn")

    def end(self) -> Iterator[dict[str, Any]]:
        """The events that end the stream."""
        yield from self._stop()
        delta = {"stop_reason": self._reason, "stop_sequence": None}
        yield {"type": "message_delta", "delta": delta, "usage": self._usage}
        yield {"type": "message_stop"}

    def _call(self, call: Fields) -> Iterator[dict[str, Any]]:
        function = call.get("function") or {}
        if call["index"] != self._open:
            block = {"type": "tool_use", "id": call["id"], "name": function["name"], "input": {}}
            yield from self._begin(call["index"], block)
        if function.get("arguments"):
            yield self._delta({"type": "input_json_delta", "partial_json": function["arguments"]})

    def _begin(self, what: str | int, block: Fields) -> Iterator[dict[str, Any]]:
        if what == self._open:
            return
        yield from self._stop()
        self._open = what
        self._block += 1
        yield {"type": "content_block_start", "index": self._block, "content_block": block}

    def _delta(self, delta: Fields) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": self._block, "delta": delta}

    def _stop(self) -> Iterator[dict[str, Any]]:
        if self._open is not None:
            self._open = None
            yield {"type": "content_block_stop", "index": self._block}
