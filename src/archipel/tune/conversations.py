"""Records with a conversation, or with a chosen and a rejected answer, as lessons. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from archipel.errors import ConfigError
from archipel.tune.lessons import Conversation, Lesson, Record, Unusable, check_messages, text_of

_CHAT = (
    'messages; or prompt with completion or response; or instruction, perhaps with "input", and '
    "output, or with instances that have these"
)
_FRAME = re.compile(
    r"Below is an instruction [^\n]*\n\n### Instruction:\n(.*?)"
    r"(?:\n\n### Input:\n(.*?))?\n\n### Response:\s*",
    re.DOTALL,
)
_CHOICE = "chosen and rejected, each the answer to prompt or a whole list of messages"


def conversation(record: Record) -> Sequence[Lesson]:
    """The record as a lesson in all its answers; or several, of an instruction with `instances`.

    Raises:
        ConfigError: it holds no conversation in a known form.
        Unusable: nothing can be learnt from it.
    """
    lessons = []
    for one in _instances(record):
        messages = check_messages(_messages(one), one.place)
        lessons.append(Lesson(one.place, _question(messages), (messages,)))
    return lessons


def preference(record: Record) -> Sequence[Lesson]:
    """The record as a lesson in which of two answers is better.

    Raises:
        ConfigError: it holds no chosen and rejected answer in a known form.
        Unusable: nothing can be learnt from it.
    """
    fields = record.fields
    if not {"chosen", "rejected"} <= fields.keys():
        raise _unknown_form(record, _CHOICE)
    asked = _as_messages(fields.get("prompt", []), "user")
    both = [
        check_messages([*asked, *_as_messages(fields[name], "assistant")], record.place)
        for name in ("chosen", "rejected")
    ]
    chosen, rejected = both
    if chosen[:-1] != rejected[:-1]:
        raise Unusable("whose two answers are to different questions")
    if chosen == rejected:
        raise Unusable("whose two answers are the same")
    return [Lesson(record.place, _question(chosen), (chosen, rejected))]


def _messages(record: Record) -> object:
    fields, place = record.fields, record.place
    if "messages" in fields:
        return fields["messages"]
    answer = next((name for name in ("completion", "response") if name in fields), None)
    if "prompt" in fields and answer:
        prompt = _unframed(fields["prompt"])
        return [*_as_messages(prompt, "user"), *_as_messages(fields[answer], "assistant")]
    if {"instruction", "output"} <= fields.keys():
        parts = [text_of(fields.get(name) or "", place) for name in ("instruction", "input")]
        asked = "\n\n".join(filter(None, parts))
        return [*_as_messages(asked, "user"), *_as_messages(fields["output"], "assistant")]
    raise _unknown_form(record, _CHAT)


def _instances(record: Record) -> Sequence[Record]:
    """The record, or one for each of its instances, as the seeds of Self-Instruct have them."""
    fields = record.fields
    if not {"instruction", "instances"} <= fields.keys():
        return [record]
    some = fields["instances"]
    if not isinstance(some, list) or not all(isinstance(one, dict) for one in some):
        raise _unknown_form(record, _CHAT)
    asked = {"instruction": fields["instruction"]}
    return [Record(record.place, asked | one) for one in some]


def _unframed(prompt: object) -> object:
    """Without the words that Alpaca's data have around an instruction: a template has its own."""
    framed = _FRAME.fullmatch(prompt) if isinstance(prompt, str) else None
    return "\n\n".join(filter(None, framed.groups())) if framed else prompt


def _as_messages(value: object, role: str) -> list[Any]:
    """Messages as they are; anything else is one's content, to be checked."""
    return value if isinstance(value, list) else [{"role": role, "content": value}]


def _question(messages: Conversation) -> str:
    """What stands first in a user's words."""
    found: Mapping[str, str] = next(one for one in messages if one["role"] == "user")
    return found["content"]


def _unknown_form(record: Record, known: str) -> ConfigError:
    there = ", ".join(record.fields) or "nothing"
    return ConfigError(f"{record.place} has {there}. Known is {known}")
