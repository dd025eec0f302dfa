"""Content rules on their way: over what a request holds, and over its answer, whole or a stream."""

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from archipel.errors import IntegrityError
from archipel.serve.api_error import ApiError
from archipel.serve.events import event_data
from archipel.serve.rules import Found, Rule, Side, TooMany, finder, found, masked
from archipel.serve.translation import NOT_ITS

# What is no text, or what names things: a rule that changed it would change what the request does.
_NO_TEXT = frozenset(
    {
        *("model", "role", "type", "id", "tool_call_id", "name", "format"),
        *("image_url", "input_audio", "file"),
    }
)
_SAID = ("content", "refusal", "reasoning_content", "reasoning")  # of a message, by suppliers
_UNREADABLE = "The model's provider does not answer as it should. Ask another model."
_log = logging.getLogger(__name__)
_CONTEXT = 64  # characters before, by which a match is told from a part of a word
_LONG = 512  # characters of matches in a row that a stream is held back for
_END = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Watch:
    """The rules of one key, and who hears of each match: the rule and where it was."""

    rules: tuple[Rule, ...]
    matched: Callable[[Rule, Side], None]

    def of(self, side: Side) -> "Watch | None":
        """The rules for one side; None if there are none."""
        its = tuple(rule for rule in self.rules if side in rule.sides)
        return Watch(its, self.matched) if its else None


def asked(fields: Mapping[str, Any], watch: Watch) -> dict[str, Any] | None:
    """A request's fields with what is to be masked in them replaced; None if they stay.

    Raises:
        ApiError: a rule refuses it.
    """
    for name in ("prompt", "input"):
        if _has_tokens(fields.get(name)):
            message = f"{name}: this key has content rules, which read texts. Send text."
            raise ApiError(400, message, "invalid_value", name)
    after = {
        name: value if name in _NO_TEXT else _prompt(value, name, watch)
        for name, value in fields.items()
    }
    return after if after != fields else None


def _has_tokens(prompt: Any) -> bool:
    """Whether a prompt is numbers instead of texts."""
    if isinstance(prompt, list):
        return any(map(_has_tokens, prompt))
    return isinstance(prompt, int)


def _prompt(value: Any, place: str, watch: Watch) -> Any:
    if isinstance(value, str):
        return _text(value, place, watch)
    if isinstance(value, list):
        return [_prompt(one, f"{place}.{number}", watch) for number, one in enumerate(value)]
    if isinstance(value, dict):
        return {
            name: one if name in _NO_TEXT else _prompt(one, f"{place}.{name}", watch)
            for name, one in value.items()
        }
    return value


def _text(text: str, place: str, watch: Watch) -> str:
    try:
        matches = found(watch.rules, text)
    except TooMany as error:
        raise ApiError(400, f"{place}: {error}. Shorten it.", "invalid_value", place) from None
    for one in matches:
        watch.matched(one.rule, "in")
    if refused := next((one for one in matches if one.rule.act == "refuse"), None):
        message = f"The content rule {refused.rule.name!r} of this key refuses {place}."
        raise ApiError(400, message, "content_policy_violation", place)
    return masked(text, matches)


def answered(body: bytes, watch: Watch) -> bytes:
    """A whole answer in OpenAI's shape by the rules: masked, or cut where one refuses it.

    Raises:
        IntegrityError: it is not OpenAI's, so that it can't be read.
    """
    try:
        answer = json.loads(body)
        for choice in answer.get("choices") or ():
            _whole(choice, watch)
    except (*NOT_ITS, RecursionError) as error:
        raise IntegrityError(
            "its answer is not OpenAI's, and content rules can't read it"
        ) from error
    return json.dumps(answer).encode()


def _whole(choice: dict[str, Any], watch: Watch) -> None:
    message: dict[str, Any] = choice.get("message") or {}
    cut = any([_said(message, name, watch) for name in _SAID])
    for call in message.get("tool_calls") or ():
        cut |= _said(call["function"], "arguments", watch)
    cut |= _said(choice, "text", watch)
    if choice.get("logprobs"):
        choice["logprobs"] = None  # they spell out what is masked
    if cut:
        message.pop("tool_calls", None)
        choice["finish_reason"] = "content_filter"


def _said(holder: dict[str, Any], name: str, watch: Watch) -> bool:
    """Put one text right; whether it was cut."""
    if not isinstance(holder.get(name), str):
        return False
    tail = Tail(watch)
    holder[name] = tail.take(holder[name]) + tail.rest()
    return tail.is_cut


@dataclass
class Tail:
    """A text that comes in pieces: each is given on once no match can begin in it any more."""

    watch: Watch
    is_cut: bool = False  # a rule refuses it: nothing more comes of it
    _text: str = ""  # what is held back, and before it what was given on last
    _given: int = 0  # characters of it

    def take(self, piece: str) -> str:
        """The next piece; what may be given on by now."""
        self._text += piece
        return self._give(self._safe())

    def rest(self) -> str:
        """What is left when the text has ended."""
        return self._give(len(self._text))

    def _safe(self) -> int:
        """Where the part begins in which a match may not be whole yet."""
        word = max(self._text.rfind(" "), self._text.rfind("\n")) + 1
        places = []
        for rule in self.watch.rules:
            its = finder(rule.kind, rule.match)
            held = len(self._text) - its.hold
            places.append(held if its.has_spaces else max(held, word))
        return min(places)

    def _give(self, until: int) -> str:
        if self.is_cut or until <= self._given:
            return ""
        matches = found(self.watch.rules, self._text, self._given)
        until = _end_of(matches, until)
        now = [one for one in matches if one.start < until]
        refused = next((one for one in now if one.rule.act == "refuse"), None)
        if refused:
            self.is_cut, until = True, refused.start
            now = [one for one in now if one.start <= until]
        for one in now:
            self.watch.matched(one.rule, "out")
        text = masked(self._text, now, self._given, until)
        begin = max(0, until - _CONTEXT)
        self._text, self._given = self._text[begin:], until - begin
        return text


def _end_of(matches: list[Found], until: int) -> int:
    """Where to stop: not within matches, which may yet grow, unless they are long."""
    start = end = 0  # of matches that overlap
    for one in matches:
        if one.start >= end:
            if start < until < end:
                break
            start = one.start
        end = max(end, one.end)
    if not start < until < end:
        return until
    return end if end - start > _LONG else start


@dataclass
class RuledStream:
    """A stream in OpenAI's shape by the rules. `ended` hears the outcome and the code if that is
    not where its provider ends it."""

    watch: Watch
    ended: Callable[[str, str], None]
    _tails: dict[tuple[int, str], Tail] = field(default_factory=dict)
    _last: dict[str, Any] = field(default_factory=dict)  # of a chunk, what all chunks have

    async def pieces(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The stream as its client may have it; it ends with an error where it can't be read."""
        try:
            async for data in event_data(pieces):
                if data == b"[DONE]":  # it ends when its provider ends it, and is settled so
                    continue
                for chunk in list(self._of(json.loads(data))):
                    yield _event(chunk)
                if self._is_cut():
                    break
        except (*NOT_ITS, RecursionError, IntegrityError) as error:
            _log.error("content rules can't read a stream: %s", type(error).__name__)
            self.ended("failed", "provider_error")
            yield _event(ApiError(502, _UNREADABLE, "provider_error").body)
            return
        for chunk in self._flushed():
            yield _event(chunk)
        if self._is_cut():
            self.ended("answered", "content_filter")
        yield _END

    def _of(self, chunk: dict[str, Any]) -> Iterator[dict[str, Any]]:
        choices = chunk.get("choices")
        if not choices:  # usage, or an error
            yield chunk
            return
        self._last = {name: chunk[name] for name in chunk if name not in ("choices", "usage")}
        for choice in choices:
            for made in self._choice(choice):
                yield chunk | {"choices": [choice]} if made is choice else made

    def _choice(self, choice: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Chunks that come before it, and the choice itself if something of it may be said."""
        index, delta = choice.get("index", 0), choice.get("delta") or {}
        choice.pop("logprobs", None)  # they spell out what is masked
        said = False
        for place, holder, name in _texts(choice, delta):
            tail = self._tails.setdefault((index, place), Tail(self.watch))
            before = holder[name]
            holder[name] = tail.take(before) + (tail.rest() if choice.get("finish_reason") else "")
            said |= bool(holder[name]) or not before
        others = {name for name in delta if name not in _SAID}
        if choice.get("finish_reason"):
            yield from self._flushed(index)
        if self._is_cut():
            choice["finish_reason"] = "content_filter"
        if said or others or choice.get("finish_reason"):
            yield choice

    def _is_cut(self) -> bool:
        return any(tail.is_cut for tail in self._tails.values())

    def _flushed(self, index: int | None = None) -> Iterator[dict[str, Any]]:
        """What is still held back of one choice, or of all."""
        for (its, place), tail in self._tails.items():
            if index not in (None, its) or tail.is_cut:
                continue
            text = tail.rest()
            if text or (tail.is_cut and index is None):
                reason = "content_filter" if tail.is_cut and index is None else None
                choice = {"index": its, **_holding(place, text), "finish_reason": reason}
                yield {**self._last, "choices": [choice]}


def _texts(
    choice: dict[str, Any], delta: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The texts of a chunk's choice: which one, what holds it, under which name."""
    for name in _SAID:
        if isinstance(delta.get(name), str):
            yield name, delta, name
    if isinstance(choice.get("text"), str):
        yield "text", choice, "text"
    for call in delta.get("tool_calls") or ():
        function = call.get("function") or {}
        if isinstance(function.get("arguments"), str):
            yield f"tool {call['index']}", function, "arguments"


def _holding(place: str, text: str) -> dict[str, Any]:
    """A choice's part that says a text of `_texts`."""
    if place == "text":
        return {"text": text}
    kind, _, number = place.partition(" ")
    if kind == "tool":
        call = {"index": int(number), "function": {"arguments": text}}
        return {"delta": {"tool_calls": [call]}}
    return {"delta": {place: text}}


def _event(chunk: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"
