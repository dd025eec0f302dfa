"""What two answers say, and how like they are."""

import json
from typing import Any

import pytest

from archipel.serve.routing import Policy, Target
from archipel.serve.shadow import Said, likeness, may_shadow, question_of, said

_HERE = Target("here", "m", is_here=True)
_THERE = Target("there", "m", is_here=False)


def _whole(content: str | None, *calls: tuple[str, str]) -> bytes:
    made = [
        {"id": str(n), "type": "function", "function": {"name": name, "arguments": given}}
        for n, (name, given) in enumerate(calls)
    ]
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if made:
        message["tool_calls"] = made
    return json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()


def _stream(*deltas: dict[str, Any]) -> bytes:
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    chunks.append({"choices": [], "usage": {"completion_tokens": 2}})
    events = [f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n" for chunk in chunks]
    return "".join([*events, "data: [DONE]\n\n"]).encode()


def _call(index: int, **function: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "function": function}]}


def test_a_whole_answer_and_a_stream_say_the_same() -> None:
    calls = (("weather", '{"city": "Brest"}'), ("time", "{}"))
    streamed = _stream(
        {"role": "assistant", "content": ""},
        {"content": "Wet, "},
        {"content": "é."},
        _call(0, name="weather", arguments='{"city":'),
        _call(0, arguments=' "Brest"}'),
        _call(1, name="time", arguments="{}"),
    )
    assert said(_whole("Wet, é.", *calls)) == said(streamed) == Said("Wet, é.", calls, "stop")


@pytest.mark.parametrize("answer", [b"", b"{}", b"[]", b"<html>", b'{"data": [1.0]}', b"data: 1\n"])
def test_what_is_not_an_answer_says_nothing(answer: bytes) -> None:
    assert said(answer) in (None, Said("", (), None))


@pytest.mark.parametrize(
    ("one", "other", "words", "same"),
    [
        ("The capital is Paris.", "The capital is Paris. ", 1.0, True),
        ("the capital", "The capital is Paris.", 2 * 2 / 6, False),
        ("", "", 1.0, True),
        ("yes", "no", 0.0, False),
        ("a a a", "a", 2 / 4, False),
    ],
)
def test_texts_are_compared_by_their_words(one: str, other: str, words: float, same: bool) -> None:
    found = likeness(Said(one, (), "stop"), Said(other, (), "stop"))
    assert (found.words, found.same, found.calls_agree) == (words, same, None)


@pytest.mark.parametrize(
    ("arguments", "agree"),
    [('{"b":2,"a":1}', True), ('{"a": 1}', False), ("{broken", False)],
)
def test_calls_agree_if_they_mean_the_same(arguments: str, agree: bool) -> None:
    usual = Said("", (("weather", '{"a": 1, "b": 2}'),), "tool_calls")
    found = likeness(usual, Said("", (("weather", arguments),), "tool_calls"))
    assert (found.calls_agree, found.same) == (agree, agree)


def test_data_that_stays_here_is_shown_to_no_candidate_elsewhere() -> None:
    closed = Policy("closed", (_HERE,), data_stays_here=True)
    open_ = Policy("open", (_HERE,))
    here, there = Policy("here", (_HERE,)), Policy("there", (_HERE, _THERE))
    guarded = Policy("guarded", (_HERE, _THERE), data_stays_here=True)
    assert [may_shadow(closed, one) for one in (here, guarded, there)] == [True, True, False]
    assert may_shadow(open_, there)
    assert not may_shadow(open_, None)


def test_the_candidate_is_asked_the_same_but_for_a_whole_answer() -> None:
    asked = {"model": "chat", "seed": 1, "stream": True, "stream_options": {"include_usage": True}}
    assert question_of(asked) == {"model": "chat", "seed": 1}
