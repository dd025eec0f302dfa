"""Anthropic's official client asks ours: a stand-in of Anthropic answers, or a real model."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic
from anthropic.types import Message
from openai import OpenAI

from archipel.serve.access import OneKeyAccess
from archipel.serve.anthropic import to_messages_request
from archipel.serve.gateway import create_app
from archipel.serve.messages import to_chat_request
from archipel.serve.providers import Directory, OpenAIProvider
from archipel.serve.routing import Policy, Target
from archipel.serve.translation import Unmappable
from tests.serve.conftest import Service
from tests.serve.scripted import ScriptedService, hosted_in_thread
from tests.serve.test_anthropic import client, supplier

__all__ = ["client", "supplier"]

_WEATHER: dict[str, Any] = {
    "name": "weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
_PICTURE = {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}
_ASKED: dict[str, Any] = {
    "model": "large",
    "max_tokens": 50,
    "system": "Be brief.",
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this, and how is the weather there?"},
                {"type": "image", "source": _PICTURE},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Brest"}},
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
    "temperature": 0.5,
    "stop_sequences": ["END"],
    "tools": [_WEATHER],
    "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
    "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
}


@pytest.fixture
def there(client: OpenAI) -> Iterator[Anthropic]:
    """Anthropic's client at a gateway in front of the stand-in of Anthropic."""
    url = str(client.base_url).removesuffix("/v1/")
    with Anthropic(base_url=url, api_key="none", max_retries=0, timeout=20) as asks:
        yield asks


def test_a_request_says_the_same_after_both_translations() -> None:
    assert to_messages_request(to_chat_request(_ASKED), "large") == _ASKED


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("tools", [{"type": "web_search_20250305", "name": "web_search"}], "tools.0"),
        ("messages", [{"role": "system", "content": "No."}], "messages.0.role"),
        ("messages", [{"role": "user", "content": [{"type": "document"}]}], "messages.0.content.0"),
        ("messages", [{"role": "user"}], "request"),
        ("tool_choice", {"type": "some"}, "tool_choice"),
    ],
)
def test_what_can_not_be_said_is_named(field: str, value: object, named: str) -> None:
    with pytest.raises(Unmappable) as refused:
        to_chat_request({**_ASKED, field: value})
    assert refused.value.param == named


@pytest.mark.parametrize("tools", [False, True])
def test_a_whole_answer_and_a_stream_say_the_same(there: Anthropic, tools: bool) -> None:
    asked: dict[str, Any] = {"tools": [_WEATHER]} if tools else {}
    asked |= {"model": "chat", "max_tokens": 50}
    asked["messages"] = [{"role": "user", "content": "How is the weather?"}]
    whole: Message = there.messages.create(**asked)
    with there.messages.stream(**asked) as stream:
        assert "".join(stream.text_stream) == "Wet, é."
        streamed = stream.get_final_message()
    assert _said(streamed) == _said(whole)
    assert streamed.stop_reason == whole.stop_reason == ("tool_use" if tools else "end_turn")
    assert [block.type for block in whole.content] == ["text", *["tool_use"] * (2 if tools else 0)]
    for usage in (whole.usage, streamed.usage):
        seen = usage.input_tokens + (usage.cache_read_input_tokens or 0)
        assert (seen, usage.output_tokens) == (12, 5)


def test_a_model_that_runs_here_answers(service: Service) -> None:
    with Anthropic(base_url=service.url.removesuffix("/v1"), api_key="none") as asks:
        asked: dict[str, Any] = {"model": "tiny", "max_tokens": 8}
        asked["extra_body"] = {"temperature": 0}
        asked["messages"] = [{"role": "user", "content": "Count."}]
        whole = asks.messages.create(**asked)
        with asks.messages.stream(**asked) as stream:
            streamed = stream.get_final_message()
    assert whole.stop_reason == streamed.stop_reason == "max_tokens"
    assert whole.usage.output_tokens == streamed.usage.output_tokens == 8
    assert _said(whole) == _said(streamed)


def test_errors_have_their_types(scripted: ScriptedService) -> None:
    policy = Policy("chat", (Target("island", "m", is_here=False),))
    directory = Directory({"chat": policy}, {"island": OpenAIProvider(scripted.url, None)})
    messages: list[Any] = [{"role": "user", "content": "Hello"}]
    with (
        hosted_in_thread(create_app(directory, OneKeyAccess("right"))) as url,
        _client(url, "wrong") as wrong,
        _client(url, "right") as asks,
    ):
        with pytest.raises(anthropic.AuthenticationError):
            wrong.messages.create(model="chat", max_tokens=5, messages=messages)
        with pytest.raises(anthropic.NotFoundError, match="does not exist here"):
            asks.messages.create(model="other", max_tokens=5, messages=messages)
        with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
            asks.messages.create(model="chat", max_tokens=0, messages=messages)
        scripted.refusal = (500, {})
        with pytest.raises(anthropic.APIStatusError) as refused:
            asks.messages.create(model="chat", max_tokens=5, messages=messages)
        assert refused.value.status_code == 503
        assert isinstance(refused.value.body, dict)
        assert refused.value.body["error"]["type"] == "overloaded_error"


def test_a_stream_that_breaks_off_says_so(scripted: ScriptedService) -> None:
    policy = Policy("chat", (Target("island", "m", is_here=False),))
    directory = Directory({"chat": policy}, {"island": OpenAIProvider(scripted.url, None)})
    messages: list[Any] = [{"role": "user", "content": "Hello"}]
    with (
        hosted_in_thread(create_app(directory, OneKeyAccess("right"))) as url,
        _client(url, "right") as asks,
        ThreadPoolExecutor(1) as beside,
    ):
        beside.submit(_begin_and_break, scripted)
        with asks.messages.stream(model="chat", max_tokens=5, messages=messages) as stream:
            said = stream.text_stream
            assert next(said) == "We"
            with pytest.raises(anthropic.APIStatusError, match="broke off"):
                next(said)


def _begin_and_break(scripted: ScriptedService) -> None:
    scripted.asked()
    choice = {"index": 0, "delta": {"content": "We"}}
    chunk = {"id": "1", "model": "m", "choices": [choice]}
    scripted.send(f"data: {json.dumps(chunk)}\n\n".encode())
    scripted.send(ConnectionError("gone"))


def _said(message: Message) -> list[dict[str, Any]]:
    """The blocks without what the client alone adds to those of a stream."""
    return [block.model_dump(exclude={"parsed_output"}) for block in message.content]


def _client(url: str, key: str) -> Anthropic:
    return Anthropic(base_url=url, api_key=key, max_retries=0, timeout=20)
