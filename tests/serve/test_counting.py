"""Tokens of a request: bounds before, and what an answer or a stream says after."""

import json
from typing import Any

import pytest

from archipel.serve.counting import (
    StreamCount,
    Tokens,
    most_completion_tokens,
    most_prompt_tokens,
    tokens_of,
)

_USAGE = {"prompt_tokens": 3, "completion_tokens": 2}
_WORDS: list[dict[str, Any]] = [
    {"choices": [{"index": 0, "delta": {"content": word}}], "usage": None} for word in "ab"
]
_LAST: dict[str, Any] = {"choices": [], "usage": _USAGE}


def _stream(*events: dict[str, Any], end: str) -> bytes:
    return "".join(f"data: {json.dumps(event)}{end}" for event in events).encode()


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n"])
@pytest.mark.parametrize("hides_usage", [True, False])
def test_a_stream_is_read_however_it_is_cut(end: str, hides_usage: bool) -> None:
    words, last = _stream(*_WORDS, end=end), _stream(_LAST, end=end)
    done = f"data: [DONE]{end}".encode()
    whole = words + last + done
    for cut in range(len(whole) + 1):
        count = StreamCount(hides_usage=hides_usage)
        passed = count.take(whole[:cut]) + count.take(whole[cut:]) + count.rest()
        assert passed == words + (b"" if hides_usage else last) + done
        assert count.tokens({}) == Tokens(3, 2)


def test_usage_beside_a_choice_is_counted_and_kept() -> None:
    stream = _stream({**_LAST, "choices": [{"index": 0, "delta": {}}]}, end="\n\n")
    count = StreamCount(hides_usage=True)
    assert count.take(stream) == stream
    assert count.tokens({}) == Tokens(3, 2)


def test_a_stream_that_says_nothing_is_estimated_by_its_events() -> None:
    count = StreamCount(hides_usage=True)
    count.take(_stream(*_WORDS, end="\n\n"))
    found = count.tokens({"prompt": 40 * "x"})
    assert found == Tokens(11, 2, estimated=True)


def test_an_event_without_end_is_not_kept_for_ever() -> None:
    count = StreamCount(hides_usage=True)
    assert len(count.take(b"data: " + (2 << 20) * b"x")) > 2 << 20


@pytest.mark.parametrize("answer", [b"{}", b"[]", b"no", b'{"usage": 3}', b'{"usage": null}'])
def test_an_answer_that_says_nothing_is_estimated(answer: bytes) -> None:
    assert tokens_of({"prompt": "x"}, answer).estimated


@pytest.mark.parametrize(
    ("fields", "most"),
    [
        ({}, None),
        ({"max_tokens": 0}, None),
        ({"max_tokens": 5}, 5),
        ({"max_tokens": 5, "max_completion_tokens": 7}, 7),
        ({"max_tokens": 5, "n": 3}, 15),
        ({"max_tokens": 5, "n": 2, "best_of": 4}, 20),
    ],
)
def test_what_answers_may_have_at_most(fields: dict[str, Any], most: int | None) -> None:
    assert most_completion_tokens(fields) == most


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "naïve ☃"},
        {"prompt": ["a", "b"]},
        {"input": ["a", "b"]},
        {"messages": [{"role": "user", "content": "naïve ☃"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "naïve ☃"}]}]},
        {"messages": [], "tools": [{"type": "function", "function": {"name": "f"}}]},
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]},
    ],
)
def test_a_prompt_has_no_more_tokens_than_its_text_has_bytes(fields: dict[str, Any]) -> None:
    def texts(value: Any) -> int:
        if isinstance(value, str):
            return len(value.encode())
        parts = value.values() if isinstance(value, dict) else value or ()
        return sum(texts(part) for part in parts)

    assert most_prompt_tokens(fields) >= texts(fields)


def test_a_picture_counts_as_one_however_large_its_data() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + 10**6 * "A"}}
    assert most_prompt_tokens({"messages": [{"role": "user", "content": [picture]}]}) < 5000
