"""OpenAI's official client asks for responses: a stand-in of Anthropic answers, or a real model."""

import json
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from archipel.serve.responses import to_chat_request
from archipel.serve.translation import Unmappable
from tests.serve.conftest import Service
from tests.serve.test_anthropic import client, supplier

__all__ = ["client", "supplier"]

_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
_PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
_WEATHER: dict[str, Any] = {"type": "function", "name": "weather", "parameters": _PARAMETERS}
_CALL = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"}


def test_a_request_says_the_same_as_a_chat() -> None:
    schema = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    asked = to_chat_request(
        {
            "model": "large",
            "instructions": "Be brief.",
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "What is this?"},
                        {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0="},
                    ],
                },
                {"type": "reasoning", "id": "r1", "summary": []},
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "Let me see."}],
                },
                _CALL,
                {**_CALL, "call_id": "c2"},
                {"type": "function_call_output", "call_id": "c1", "output": "Rain."},
            ],
            "max_output_tokens": 50,
            "tools": [_WEATHER],
            "tool_choice": {"type": "function", "name": "weather"},
            "text": {"format": schema},
            "stream": True,
        }
    )
    picture = {"url": "data:image/png;base64,iVBORw0="}
    calls = [
        {"id": name, "type": "function", "function": {"name": "weather", "arguments": "{}"}}
        for name in ("c1", "c2")
    ]
    assert asked == {
        "model": "large",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": picture},
                ],
            },
            {"role": "assistant", "content": "Let me see.", "tool_calls": calls},
            {"role": "tool", "tool_call_id": "c1", "content": "Rain."},
        ],
        "max_completion_tokens": 50,
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": _PARAMETERS}}],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
        },
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("previous_response_id", "resp_1", "previous_response_id"),
        ("tools", [{"type": "web_search"}], "tools.0"),
        ("input", [{"type": "item_reference", "id": "x"}], "input.0"),
        ("input", [{"role": "judge", "content": "No."}], "input.0.role"),
        ("input", [{"role": "user", "content": [{"type": "input_file"}]}], "input.0.content.0"),
        ("input", [{"role": "user"}], "request"),
    ],
)
def test_what_can_not_be_said_is_named(field: str, value: object, named: str) -> None:
    with pytest.raises(Unmappable) as refused:
        to_chat_request({"model": "large", "input": "Hello", field: value})
    assert refused.value.param == named


@pytest.mark.parametrize("tools", [False, True])
def test_a_whole_answer_and_a_stream_say_the_same(client: OpenAI, tools: bool) -> None:
    asked: dict[str, Any] = {"model": "chat", "input": "How is the weather?"}
    asked |= {"tools": [_WEATHER]} if tools else {}
    whole = client.responses.create(**asked)
    assert whole.output_text == "Wet, é."
    assert [item.type for item in whole.output[1:]] == ["function_call"] * (2 if tools else 0)
    assert whole.usage is not None
    assert (whole.usage.input_tokens, whole.usage.output_tokens) == (12, 5)
    with client.responses.stream(**asked) as stream:
        events = list(stream)
        streamed = stream.get_final_response()
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert said == whole.output_text
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (streamed.status, streamed.usage) == ("completed", whole.usage)
    assert [_told(item) for item in streamed.output] == [_told(item) for item in whole.output]


def test_answers_and_events_have_the_official_shapes(client: OpenAI) -> None:
    asked: dict[str, Any] = {"model": "chat", "input": "And?", "tools": [_WEATHER]}
    url = f"{client.base_url}responses"
    Response.model_validate_json(httpx.post(url, json=asked).raise_for_status().content)
    told = httpx.post(url, json={**asked, "stream": True}).raise_for_status().text
    lines = [line.removeprefix("data: ") for line in told.split("\n") if line.startswith("data: ")]
    kinds = [_EVENT.validate_json(line).type for line in lines]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    items = json.loads(lines[-1])["response"]["output"]
    assert len({item["id"] for item in items}) == len(items) == 3


def test_a_model_that_runs_here_answers_and_says_that_it_was_cut_short(service: Service) -> None:
    with service.client() as asks:
        whole = asks.responses.create(
            model="tiny", input="Count.", max_output_tokens=16, temperature=0
        )
    assert (whole.status, whole.incomplete_details.reason) == ("incomplete", "max_output_tokens")  # type: ignore[union-attr]
    assert whole.usage is not None
    assert whole.usage.output_tokens == 16
    with service.client() as asks, pytest.raises(openai.BadRequestError) as refused:
        asks.responses.create(model="tiny", input="Count.", previous_response_id="resp_1")
    assert (refused.value.code, refused.value.param) == ("unsupported", "previous_response_id")


def _told(item: Any) -> dict[str, Any]:
    """An item without its id and what the client alone adds to one of a stream."""
    content = [part.text for part in item.content] if item.type == "message" else None
    arguments = None if item.type == "message" else (item.call_id, item.name, item.arguments)
    return {"type": item.type, "status": item.status, "content": content, "call": arguments}
