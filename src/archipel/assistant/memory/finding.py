"""Whether a person's message says a lasting fact of themselves: how a model is asked for it, and
what is believed of its answer. Pure.

A small model makes much up. So its answer counts only in a strict form, with a sentence that stands
word for word in the message, and with a fact that speaks of what the sentence does.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archipel.assistant.history.memories import words_of
from archipel.assistant.memory.secrecy import is_secret
from archipel.chat import Message

MESSAGE_CHARACTERS = 4000  # a longer one is a text of others, mostly
FACT_CHARACTERS = 200
ANSWER_TOKENS = 200
_ORIGIN_CHARACTERS = 500
_ANSWER_CHARACTERS = 4000
_TELLING_CHARACTERS = 3
_FORM = (
    "You read one message that a person wrote to an assistant. Find at most one lasting fact that "
    "the person says about themselves: their work, family, place, language, tastes, needs or "
    "plans. A question, a task, a text about others, a mood of the moment and anything secret are "
    "no such facts. Answer with one JSON object and nothing else:\n"
    '{"fact": "the fact in one short sentence, in the language of the message", '
    '"sentence": "the sentence of the message that says it, copied letter by letter"}\n'
    'or, if there is none, {"fact": null, "sentence": null}.'
)


@dataclass(frozen=True)
class Fact:
    """What was said, and the sentence that says it."""

    text: str
    sentence: str


def question(said: str) -> list[Message]:
    """What a model is asked about a person's message."""
    return [Message("system", _FORM), Message("user", said)]


def is_worth_asking(said: str) -> bool:
    """Whether the message can say anything: it has words, and is not a document."""
    return len(said) <= MESSAGE_CHARACTERS and len(words_of(said)) >= 3


def believed(answer: str, said: str) -> Fact | None:
    """The fact of a model's answer about a message, if all of it holds."""
    fields = _fields(answer)
    if fields is None:
        return None
    text, sentence = (_line(fields[name]) for name in ("fact", "sentence"))
    if not text or not sentence or not _fits(text, sentence):
        return None
    if sentence not in _line(said) or sentence.endswith("?"):
        return None
    if is_secret(text) or is_secret(sentence) or not _telling(text) & _telling(sentence):
        return None
    return Fact(text, sentence)


def _fields(answer: str) -> Mapping[str, Any] | None:
    """The JSON object; also within the marks of a code block, which many models can't leave out."""
    text = answer.strip()
    if text.startswith("```") and text.endswith("```"):
        text = text[3:-3].removeprefix("json")
    if len(text) > _ANSWER_CHARACTERS:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict) or found.keys() != {"fact", "sentence"}:
        return None
    return found if all(isinstance(value, str) for value in found.values()) else None


def _line(text: str) -> str:
    return " ".join(text.split())


def _fits(text: str, sentence: str) -> bool:
    return (
        len(text) <= FACT_CHARACTERS
        and len(sentence) <= _ORIGIN_CHARACTERS
        and text.isprintable()
        and sentence.isprintable()
        and len(words_of(sentence)) >= 2
    )


def _telling(text: str) -> set[str]:
    return {word for word in words_of(text) if len(word) >= _TELLING_CHARACTERS}
