"""Chat completions, whole or streamed, as answers of OpenAI's Responses API."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from archipel.errors import IntegrityError
from archipel.serve.translation import NOT_ITS, sent, translated

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "temperature": None,
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "text": {"format": {"type": "text"}},
    "truncation": "disabled",
    "user": None,
}

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class ResponsesDialect:
    """How an answer in chat completions' shape is told to who sent a Responses request.

    `created` is in seconds since 1970.
    """

    request: Fields
    created: int

    def whole(self, body: bytes) -> bytes:
        """As `Dialect.whole`."""
        try:
            return json.dumps(to_response(json.loads(body), self.request, self.created)).encode()
        except NOT_ITS as error:
            raise IntegrityError("the provider's answer is not OpenAI's") from error

    async def pieces(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """As `Dialect.pieces`."""
        number = 0
        async for event in translated(pieces, ResponseEvents(self.request, self.created)):
            yield sent({**event, "sequence_number": number})
            number += 1


def to_response(completion: Fields, request: Fields, created: int) -> dict[str, Any]:
    """A chat completion as a response to the request."""
    choice = completion["choices"][0]
    said, output = choice["message"], []
    head = _head(completion, request, created)
    if said.get("content"):
        output.append(_message(head["id"], 0, said["content"]))
    for call in said.get("tool_calls") or ():
        item = _call(head["id"], len(output), call["id"], call["function"]["name"])
        output.append({**item, "arguments": call["function"]["arguments"], "status": "completed"})
    usage = _usage(completion.get("usage") or {})
    return {**head, "output": output, "usage": usage, **_end(choice["finish_reason"])}


def _head(completion: Fields, request: Fields, created: int) -> dict[str, Any]:
    echoed = {name: request.get(name) or usual for name, usual in _ECHOED.items()}
    for name in ("temperature", "parallel_tool_calls"):  # whose 0 and false say something
        echoed[name] = _ECHOED[name] if request.get(name) is None else request[name]
    return {
        "id": f"resp_{completion.get('id') or ''}",
        "object": "response",
        "created_at": created,
        "model": completion.get("model") or "",
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "output": [],
        "previous_response_id": None,
        "reasoning": {"effort": (request.get("reasoning") or {}).get("effort"), "summary": None},
        "store": False,
        "usage": None,
        **echoed,
    }


def _end(finish: str) -> dict[str, Any]:
    if finish in _INCOMPLETE:
        return {"status": "incomplete", "incomplete_details": {"reason": _INCOMPLETE[finish]}}
    return {"status": "completed"}


def _message(response: str, index: int, text: str | None) -> dict[str, Any]:
    """A message item; without text, one that has only begun."""
    content = [] if text is None else [_part(text)]
    status = "in_progress" if text is None else "completed"
    head = {"type": "message", "id": f"msg_{response}_{index}", "role": "assistant"}
    return {**head, "status": status, "content": content}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _call(response: str, index: int, call_id: str, name: str) -> dict[str, Any]:
    head = {"type": "function_call", "id": f"fc_{response}_{index}", "call_id": call_id}
    return {**head, "name": name, "arguments": "", "status": "in_progress"}


def _usage(usage: Fields) -> dict[str, Any]:
    asked, answered = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    thought = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    return {
        "input_tokens": asked,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": answered,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": asked + answered,
    }


@dataclass
class ResponseEvents:
    """The chunks of a chat completion as the events of a response."""

    request: Fields
    created: int
    _head: dict[str, Any] = field(default_factory=dict)
    _output: list[dict[str, Any]] = field(default_factory=list)  # items that have ended
    _item: dict[str, Any] | None = None  # the one that has not
    _open: str | int | None = None  # what it is: text, or the number of a tool call
    _said: str = ""  # of it
    _usage: dict[str, Any] = field(default_factory=lambda: _usage({}))
    _finish: str = "stop"

    def of(self, chunk: Fields) -> Iterator[dict[str, Any]]:
        """The events that one chunk makes."""
        if error := chunk.get("error"):
            yield {"type": "error", "code": None, "param": None, "message": error["message"]}
            return
        if not self._head:
            self._head = _head(chunk, self.request, self.created)
            yield {"type": "response.created", "response": self._head}
            yield {"type": "response.in_progress", "response": self._head}
        if chunk.get("usage"):
            self._usage = _usage(chunk["usage"])
        for choice in chunk["choices"]:
            delta = choice.get("delta") or {}
            if delta.get("content"):
                yield from self._text(delta["content"])
            for call in delta.get("tool_calls") or ():
                yield from self._arguments(call)
            self._finish = choice.get("finish_reason") or self._finish

    def end(self) -> Iterator[dict[str, Any]]:
        """The events that end the stream."""
        yield from self._done()
        end = _end(self._finish)
        response = {**self._head, "output": self._output, "usage": self._usage, **end}
        yield {"type": f"response.{end['status']}", "response": response}

    def _text(self, text: str) -> Iterator[dict[str, Any]]:
        if self._open != "text":
            yield from self._begin("text", _message(self._head["id"], self._next_place(), None))
            yield self._event("response.content_part.added", content_index=0, part=_part(""))
        self._said += text
        yield self._event("response.output_text.delta", content_index=0, delta=text, logprobs=[])

    def _arguments(self, call: Fields) -> Iterator[dict[str, Any]]:
        function = call.get("function") or {}
        if call["index"] != self._open:
            item = _call(self._head["id"], self._next_place(), call["id"], function["name"])
            yield from self._begin(call["index"], item)
        if function.get("arguments"):
            self._said += function["arguments"]
            delta = function["arguments"]
            yield self._event("response.function_call_arguments.delta", delta=delta)

    def _next_place(self) -> int:
        """Of the item that is about to begin: the open one, if there is one, ends before it."""
        return len(self._output) + (self._item is not None)

    def _begin(self, what: str | int, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield from self._done()
        self._open, self._item, self._said = what, item, ""
        added = {"type": "response.output_item.added", "output_index": len(self._output)}
        yield {**added, "item": item}

    def _event(self, kind: str, **fields: Any) -> dict[str, Any]:
        assert self._item is not None
        place = {"item_id": self._item["id"], "output_index": len(self._output)}
        return {"type": kind, **place, **fields}

    def _done(self) -> Iterator[dict[str, Any]]:
        if self._item is None:
            return
        if self._open == "text":
            part = _part(self._said)
            ended = {"content_index": 0, "text": self._said, "logprobs": []}
            yield self._event("response.output_text.done", **ended)
            yield self._event("response.content_part.done", content_index=0, part=part)
            item = {**self._item, "status": "completed", "content": [part]}
        else:
            item = {**self._item, "status": "completed", "arguments": self._said}
            ended = {"arguments": self._said, "name": item["name"]}
            yield self._event("response.function_call_arguments.done", **ended)
        done = {"type": "response.output_item.done", "output_index": len(self._output)}
        yield {**done, "item": item}
        self._output.append(item)
        self._item = self._open = None
