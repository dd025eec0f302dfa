"""A share of a route's questions is asked of a candidate too: what both answered, compared. Pure.

The client has its answer first, and never waits for the candidate's.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from archipel.serve.routing import Policy

_PARSED = (ValueError, KeyError, TypeError, AttributeError, IndexError)


@dataclass(frozen=True)
class Shadow:
    """The candidate, a public name too, and the share of the questions that it gets."""

    candidate: str
    share: float


@dataclass(frozen=True)
class Said:
    """What an answer says: its text, the calls of tools, and why it ended."""

    text: str
    calls: tuple[tuple[str, str], ...]  # name and arguments
    finish: str | None


@dataclass(frozen=True)
class Likeness:
    """How like two answers are. `words` is the F1 of their words (Rajpurkar and others, 2016)."""

    words: float
    same: bool
    calls_agree: bool | None  # None: neither calls a tool


def may_shadow(usual: Policy, candidate: Policy | None) -> bool:
    """Whether the candidate exists and keeps data here where the route does."""
    if candidate is None:
        return False
    stays = candidate.data_stays_here or all(target.is_here for target in candidate.targets)
    return stays or not usual.data_stays_here


def question_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the same question for the candidate, whose answer is not streamed."""
    return {name: fields[name] for name in fields if name not in ("stream", "stream_options")}


def said(answer: bytes) -> Said | None:
    """What an answer says, whole or a stream of events; None if it is not OpenAI's."""
    try:
        if answer.lstrip().startswith(b"{"):
            return _whole(json.loads(answer)["choices"][0])
        return _streamed(answer)
    except _PARSED:
        return None


def likeness(usual: Said, candidate: Said) -> Likeness:
    """Compare what two answers say."""
    calls = None
    if usual.calls or candidate.calls:
        calls = _calls(usual) == _calls(candidate)
    same = usual.text.strip() == candidate.text.strip() and calls is not False
    return Likeness(_f1(usual.text, candidate.text), same, calls)


def _whole(choice: Mapping[str, Any]) -> Said:
    message = choice.get("message") or {"content": choice.get("text")}
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    made = tuple((call["name"], call["arguments"]) for call in calls)
    return Said(message.get("content") or "", made, choice.get("finish_reason"))


def _streamed(events: bytes) -> Said:
    text, finish = [], None
    calls: dict[int, list[str]] = {}
    for choice in _choices(events):
        delta = choice.get("delta") or {}
        text.append(delta.get("content") or choice.get("text") or "")
        finish = choice.get("finish_reason") or finish
        for call in delta.get("tool_calls") or ():
            function = call.get("function") or {}
            name, arguments = calls.setdefault(call["index"], ["", ""])
            calls[call["index"]] = [
                name + (function.get("name") or ""),
                arguments + (function.get("arguments") or ""),
            ]
    return Said("".join(text), tuple((name, given) for name, given in calls.values()), finish)


def _choices(events: bytes) -> Iterator[Mapping[str, Any]]:
    for line in events.split(b"\n"):
        data = line.removeprefix(b"data:").strip()
        if line.startswith(b"data:") and data != b"[DONE]":
            yield from (json.loads(data).get("choices") or ())[:1]


def _calls(one: Said) -> list[tuple[str, Any]]:
    return [(name, _json(arguments)) for name, arguments in one.calls]


def _json(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


def _f1(one: str, other: str) -> float:
    ours, theirs = Counter(one.lower().split()), Counter(other.lower().split())
    if not ours and not theirs:
        return 1.0
    shared = (ours & theirs).total()
    return 2 * shared / (ours.total() + theirs.total())
