"""What content rules find, and that a stream's pieces hide nothing from them."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from archipel.errors import ConfigError
from archipel.serve.api_error import ApiError
from archipel.serve.ruled import RuledStream, Tail, Watch, answered, asked
from archipel.serve.rules import Act, Kind, Rule, finder, found, masked


def _rule(kind: Kind, match: str, act: Act = "mask", name: str = "a rule") -> Rule:
    return Rule(name, ("in", "out"), kind, match, act)


def _watch(*rules: Rule) -> tuple[Watch, Counter[str]]:
    counted: Counter[str] = Counter()
    return Watch(rules, lambda rule, side: counted.update([f"{rule.name} {side}"])), counted


_FOUND = {
    "email": [
        ("write to jo.do+x@example.co.uk.", "jo.do+x@example.co.uk"),
        ("<a@b.io>", "a@b.io"),
        ("no address: @someone, a@b, a@b.c", None),
    ],
    "iban": [
        ("DE89 3704 0044 0532 0130 00 is mine", "DE89 3704 0044 0532 0130 00"),
        ("to gb82west12345698765432, please", "gb82west12345698765432"),
        ("AB12 FR14 2004 1010 0505 0001 3M02 606.", "FR14 2004 1010 0505 0001 3M02 606"),
        ("DE88 3704 0044 0532 0130 00", None),
        ("ZZ89 3704 0044 0532 0130 00", None),
        ("XDE89370400440532013000", None),
        ("DE893704004405320130001", None),
    ],
    "card": [
        ("4111 1111 1111 1111 12/26", "4111 1111 1111 1111"),
        ("my card 3782-822463-10005!", "3782-822463-10005"),
        ("5555555555554444", "5555555555554444"),
        ("4111 1111 1111 1112", None),
        ("order 41111111111111110000", None),
        ("x4111111111111111", None),
        ("1234567890123456", None),
    ],
    "phone": [
        ("call +33 1 23 45 67 89.", "+33 1 23 45 67 89"),
        ("0049 (30) 901820", "0049 (30) 901820"),
        ("in 2007 it was 1234567", None),
        ("1+1 is 2", None),
    ],
}


@pytest.mark.parametrize(
    ("pattern", "text", "match"),
    [(pattern, *case) for pattern, cases in _FOUND.items() for case in cases],
)
def test_patterns_know_numbers_by_their_check_digits(
    pattern: str, text: str, match: str | None
) -> None:
    matches = found([_rule("pattern", pattern)], text)
    assert [text[one.start : one.end] for one in matches] == ([match] if match else [])


def test_words_are_whole_words_of_any_script() -> None:
    rule = _rule("words", "bad, école, top secret")
    text = "Bad, badge, École écoles TOP SECRET baden bad bad"
    told = masked(text, found([rule], text))
    assert told == "[a rule], badge, [a rule] écoles [a rule] baden [a rule] [a rule]"


def test_masks_that_overlap_leave_nothing_of_either() -> None:
    rules = [_rule("match", "one two", name="a"), _rule("match", "two three", name="b")]
    text = "zero one two three four"
    assert masked(text, found(rules, text)) == "zero [a] four"


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        ("match", "(?<=a)b"),
        ("match", "("),
        ("match", "a*"),
        ("match", "x" * 2001),
        ("match", "((a{1,900}){1,900}){1,900}"),
        ("words", "a,,b"),
        ("pattern", "passport"),
    ],
)
def test_what_is_no_rule_is_named(kind: Kind, match: str) -> None:
    with pytest.raises(ConfigError):
        finder(kind, match)


def test_no_text_makes_an_expression_hang() -> None:
    rule = _rule("match", "(x+x+)+y")
    began = time.process_time()
    assert found([rule], "x" * 100_000) == []
    assert time.process_time() - began < 2


def test_all_of_a_request_that_says_something_is_looked_at() -> None:
    watch, counted = _watch(_rule("pattern", "email"))
    call = {"function": {"name": "mail", "arguments": '{"to": "a@b.io"}'}}
    fields = {
        "model": "a@b.io",
        "messages": [
            {"role": "system", "content": "You are a@b.io"},
            {"role": "user", "content": [{"type": "text", "text": "a@b.io \ud800"}]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
        ],
        "documents": [{"text": "a@b.io", "format": "email"}],  # of a supplier's own
        "stop_token_ids": [1, 2],
        "tools": [{"type": "function", "function": {"name": "f", "description": "to a@b.io"}}],
    }
    told = asked(fields, watch)
    assert json.dumps(told).count("[email]") == 5
    assert told is not None
    assert told["model"] == "a@b.io"
    assert counted == {"a rule in": 5}
    assert asked({"model": "m", "prompt": "nothing"}, watch) is None


def test_tokens_cant_be_read_and_are_refused() -> None:
    watch, _ = _watch(_rule("pattern", "email"))
    for prompt in ([1, 2, 3], [[1, 2], [3]]):
        with pytest.raises(ApiError, match="Send text"):
            asked({"prompt": prompt}, watch)


_TEXT = (
    "Dear Jo, jo@example.org and DE89 3704 0044 0532 0130 00, card 4111 1111 1111 1111; "
    "a badge is not bad but bad is. " * 3
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 1000])
def test_pieces_of_any_size_say_what_the_whole_says(size: int) -> None:
    named = [_rule("pattern", name, name=name) for name in ("email", "iban", "card")]
    watch, counted = _watch(*named, _rule("words", "bad", "flag", "rude"))
    tail, said = Tail(watch), ""
    for start in range(0, len(_TEXT), size):
        said += tail.take(_TEXT[start : start + size])
    said += tail.rest()
    assert said == masked(_TEXT, found(watch.rules, _TEXT))
    assert said.count("[email]") == said.count("[iban]") == said.count("[card]") == 3
    assert counted == {"email out": 3, "iban out": 3, "card out": 3, "rude out": 6}


def test_only_a_word_is_held_back_for_what_has_no_spaces() -> None:
    tail = Tail(_watch(_rule("pattern", "email"))[0])
    assert tail.take("Dear Jo") == "Dear "
    assert tail.take(", my name") == "Jo, my "


def test_each_rule_holds_back_as_much_as_its_own_matches_have() -> None:
    tail = Tail(_watch(_rule("pattern", "email"), _rule("pattern", "card"))[0])
    text = "word " * 20
    assert len(text) - len(tail.take(text)) == 38


def _stream(watch: Watch, *chunks: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    ended: list[str] = []

    async def pieces() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield f"data: {json.dumps(chunk)}\n\n".encode()
        yield b"data: [DONE]\n\n"

    async def read() -> bytes:
        stream = RuledStream(watch, lambda *how: ended.extend(how)).pieces(pieces())
        return b"".join([piece async for piece in stream])

    events = asyncio.run(read()).split(b"\n\n")
    told = [json.loads(event.removeprefix(b"data: ")) for event in events if b"{" in event]
    return told, ended


def _chunk(index: int = 0, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish, "logprobs": {"content": []}}
    return {"id": "1", "choices": [choice]}


def test_a_stream_is_masked_choice_by_choice_and_text_by_text() -> None:
    watch, _ = _watch(_rule("pattern", "email"))
    begun = {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"to": "a@'}}
    more = {"index": 0, "function": {"arguments": 'b.io"}'}}
    told, ended = _stream(
        watch,
        _chunk(role="assistant", content=""),
        _chunk(content="to a@"),
        _chunk(1, content="no a@"),
        _chunk(content="b.io"),
        _chunk(1, content=" b.io", finish="stop"),
        _chunk(tool_calls=[begun]),
        _chunk(tool_calls=[more]),
        _chunk(finish="tool_calls"),
        {"id": "1", "choices": [], "usage": {"prompt_tokens": 1}},
    )
    said: Counter[tuple[int, str]] = Counter()
    texts: dict[tuple[int, str], str] = {}
    for chunk in told:
        for choice in chunk["choices"]:
            assert "logprobs" not in choice
            delta = choice.get("delta") or {}
            for call in delta.get("tool_calls") or ():
                where = choice["index"], "tool"
                texts[where] = texts.get(where, "") + call["function"].get("arguments", "")
            where = choice["index"], "content"
            texts[where] = texts.get(where, "") + (delta.get("content") or "")
            said[choice["index"], choice["finish_reason"] or ""] += 1
    assert texts == {
        (0, "content"): "to [email]",
        (1, "content"): "no a@ b.io",
        (0, "tool"): '{"to": "[email]"}',
    }
    assert (said[0, "tool_calls"], said[1, "stop"]) == (1, 1)
    assert told[-1]["usage"] == {"prompt_tokens": 1}
    assert ended == []


@pytest.mark.parametrize("at_the_end", [True, False])
def test_a_stream_that_a_rule_refuses_is_cut_before_the_match(at_the_end: bool) -> None:
    watch, counted = _watch(_rule("words", "plan b", "refuse"))
    rest = [] if at_the_end else [_chunk(content=" and more than that"), _chunk(finish="stop")]
    told, ended = _stream(watch, _chunk(content="So it is pl"), _chunk(content="an B"), *rest)
    said = "".join(one["choices"][0]["delta"].get("content") or "" for one in told)
    assert said == "So it is "
    assert told[-1]["choices"][0]["finish_reason"] == "content_filter"
    assert ended == ["answered", "content_filter"]
    assert counted == {"a rule out": 1}


def test_a_stream_that_is_not_openais_ends_with_an_error() -> None:
    watch, _ = _watch(_rule("pattern", "email"))
    told, ended = _stream(watch, _chunk(content="a "), {"choices": [{"delta": 5}]})
    assert told[-1]["error"]["code"] == "provider_error"
    assert ended == ["failed", "provider_error"]


def test_a_whole_answer_that_a_rule_refuses_is_cut() -> None:
    watch, _ = _watch(_rule("words", "plan b", "refuse"), _rule("pattern", "email"))
    message = {"role": "assistant", "content": "a@b.io has plan B", "tool_calls": []}
    body = {"choices": [{"index": 0, "message": message, "logprobs": {"content": [1]}}]}
    (choice,) = json.loads(answered(json.dumps(body).encode(), watch))["choices"]
    assert choice["message"] == {"role": "assistant", "content": "[email] has "}
    assert (choice["finish_reason"], choice["logprobs"]) == ("content_filter", None)
