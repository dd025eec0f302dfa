"""A supplier that speaks Anthropic's API, behind ours: a stand-in with the official types."""

import copy
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import openai
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from openai import OpenAI
from openai.types.chat import ChatCompletion
from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from archipel.serve.access import LocalAccess
from archipel.serve.anthropic import to_messages_request
from archipel.serve.gateway import create_app
from archipel.serve.providers import AnthropicProvider, Directory
from archipel.serve.routing import Policy, Target
from archipel.serve.translation import Unmappable
from tests.serve.scripted import hosted_in_thread

_EVENTS: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
_REQUEST: TypeAdapter[Any] = TypeAdapter(MessageCreateParamsNonStreaming)
_WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
_CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city":"Brest"}'},
}
_CHAT: dict[str, Any] = {
    "model": "chat",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this, and how is the weather there?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0="}},
            ],
        },
        {"role": "assistant", "content": None, "tool_calls": [_CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "Rain."},
        {"role": "user", "content": "And tomorrow?"},
    ],
    "max_tokens": 50,
    "temperature": 1.5,
    "stop": "END",
    "tools": [_WEATHER],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"type": "object"}},
    },
}


def test_a_request_says_the_same_there() -> None:
    asked = to_messages_request(_CHAT, "large")
    _REQUEST.validate_python(asked)
    assert asked == {
        "model": "large",
        "system": "Be brief.",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this, and how is the weather there?"},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0="},
                    },
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Brest"}}
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "c1",
                        "content": [{"type": "text", "text": "Rain."}],
                    },
                    {"type": "text", "text": "And tomorrow?"},
                ],
            },
        ],
        "max_tokens": 50,
        "temperature": 1.0,
        "stop_sequences": ["END"],
        "tools": [
            {
                "name": "weather",
                "description": "The weather of a city.",
                "input_schema": _WEATHER["function"]["parameters"],  # type: ignore[index]
            }
        ],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
    }


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"tool_choice": "perhaps"}, "tool_choice"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"messages": [{"role": "oracle", "content": "Hi"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages.0.content.0"),
    ],
)
def test_what_can_not_be_said_there_is_named(change: dict[str, Any], param: str) -> None:
    with pytest.raises(Unmappable) as error:
        to_messages_request(_CHAT | change, "large")
    assert error.value.param == param


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _paths(inner, (*path, key))


def test_wrong_types_anywhere_are_refused_or_harmless() -> None:
    refused = 0
    for *path, key in filter(None, _paths(_CHAT)):
        for wrong in (None, 7, "text", [], [3], {}, {"a": 1}, True):
            body = copy.deepcopy(_CHAT)
            place: Any = body
            for step in path:
                place = place[step]
            place[key] = wrong
            try:
                json.dumps(to_messages_request(body, "large"))
            except Unmappable:
                refused += 1
    assert refused > 100


@dataclass
class _Supplier:
    """Anthropic's API: a text, or a call where there are tools."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    refusal: tuple[int, dict[str, Any]] | None = None

    async def messages(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        self.headers = dict(request.headers)
        if self.refusal:
            return JSONResponse(self.refusal[1], self.refusal[0])
        message = _message(tools="tools" in body)
        if body.get("stream"):
            return StreamingResponse(_stream(message), media_type="text/event-stream")
        return JSONResponse(message)


def _message(*, tools: bool) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": "Wet, é."}]
    if tools:
        use = {"type": "tool_use", "name": "weather"}
        content += [{**use, "id": f"t{n}", "input": {"city": city}} for n, city in enumerate("AB")]
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "large-1",
        "content": content,
        "stop_reason": "tool_use" if tools else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "cache_read_input_tokens": 3, "output_tokens": 5},
    }
    Message.model_validate(message)
    return message


async def _stream(message: dict[str, Any]) -> AsyncIterator[bytes]:
    start = {**message, "content": [], "stop_reason": None}
    start["usage"] = {**message["usage"], "output_tokens": 1}
    yield _event({"type": "message_start", "message": start})
    yield _event({"type": "ping"}, check=False)
    for index, block in enumerate(message["content"]):
        text = block["type"] == "text"
        empty = {**block, "text": ""} if text else {**block, "input": {}}
        yield _event({"type": "content_block_start", "index": index, "content_block": empty})
        whole = block["text"] if text else json.dumps(block["input"])
        for piece in (whole[:3], whole[3:]):
            kind = {"type": "text_delta", "text": piece}
            delta = kind if text else {"type": "input_json_delta", "partial_json": piece}
            event = _event({"type": "content_block_delta", "index": index, "delta": delta})
            yield event[:17]  # an event may come in pieces
            yield event[17:]
        yield _event({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    usage = {"output_tokens": message["usage"]["output_tokens"]}
    yield _event({"type": "message_delta", "delta": delta, "usage": usage})
    yield _event({"type": "message_stop"})


def _event(data: dict[str, Any], *, check: bool = True) -> bytes:
    if check:
        _EVENTS.validate_python(data)
    return f"event: {data['type']}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


@pytest.fixture
def supplier() -> _Supplier:
    return _Supplier()


@pytest.fixture
def client(supplier: _Supplier) -> Iterator[OpenAI]:
    app = Starlette(routes=[Route("/v1/messages", supplier.messages, methods=["POST"])])
    policy = Policy("chat", (Target("sea", "large", is_here=False),))
    with hosted_in_thread(app) as url:
        providers = {"sea": AnthropicProvider(f"{url}/v1", "the-key", "2023-06-01")}
        with (
            hosted_in_thread(
                create_app(Directory({"chat": policy}, providers), LocalAccess())
            ) as gateway,
            OpenAI(base_url=f"{gateway}/v1", api_key="none", max_retries=0, timeout=20) as client,
        ):
            yield client


def _ask(client: OpenAI, **options: Any) -> Any:
    messages = [{"role": "user", "content": "How is the weather?"}]
    return client.chat.completions.create(model="chat", messages=messages, **options)  # type: ignore[call-overload]


@pytest.mark.parametrize("tools", [False, True])
def test_a_whole_answer_and_a_stream_say_the_same(
    client: OpenAI, supplier: _Supplier, tools: bool
) -> None:
    options: dict[str, Any] = {"tools": [_WEATHER]} if tools else {}
    whole: ChatCompletion = _ask(client, **options)
    text, calls, finish, usage = "", {}, None, None
    for chunk in _ask(client, stream=True, stream_options={"include_usage": True}, **options):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
            for call in choice.delta.tool_calls or ():
                held = calls.setdefault(call.index, [call.id, call.function.name, ""])
                held[2] += call.function.arguments
    message = whole.choices[0].message
    assert text == message.content == "Wet, é."
    assert finish == whole.choices[0].finish_reason == ("tool_calls" if tools else "stop")
    assert usage == whole.usage
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (12, 5)
    said = [[c.id, c.function.name, c.function.arguments] for c in message.tool_calls or ()]  # type: ignore[union-attr]
    assert list(calls.values()) == said
    assert len(said) == (2 if tools else 0)
    assert supplier.headers["x-api-key"] == "the-key"
    assert "authorization" not in supplier.headers


def test_its_refusal_reaches_the_client_and_what_it_can_not_do_is_named(
    client: OpenAI, supplier: _Supplier
) -> None:
    error = {"type": "invalid_request_error", "message": "max_tokens is too large"}
    supplier.refusal = (400, {"type": "error", "error": error})
    with pytest.raises(openai.BadRequestError, match="max_tokens is too large"):
        _ask(client)
    with pytest.raises(openai.BadRequestError) as refused:
        _ask(client, n=2)
    assert (refused.value.code, refused.value.param) == ("unsupported_by_provider", "n")
    with pytest.raises(openai.BadRequestError, match="only chats"):
        client.completions.create(model="chat", prompt="def ")
    assert len(supplier.asked) == 1
