"""What a model is told before a conversation: how to answer, and what is known of who asks. Pure.

All of it is the same at each question of a conversation, as long as the person changes nothing:
engines keep what they have read of a conversation's beginning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from archipel.assistant.history.memories import Memory, words_of
from archipel.assistant.history.preferences import Preferences, Tone

MEMORY_CHARACTERS = 1500
_WORD_CHARACTERS = 3
# Few words, in the form that small models have learnt: advice beyond that makes them wander.
_TONES: Mapping[Tone, str] = {
    "warm": "You are a warm and helpful assistant. Be brief.",
    "plain": "You are a helpful assistant. Be matter-of-fact and as short as you can.",
    "formal": "You are a polite and formal assistant.",
    "detailed": "You are a helpful assistant. Explain thoroughly, step by step, with examples.",
    "none": "",
}


@dataclass(frozen=True)
class Instructions:
    """The text, empty if there is nothing to say, and the ids of the memories in it."""

    text: str
    memories: Sequence[int]


def instructions(
    preferences: Preferences, memories: Sequence[Memory], first: str, began: float
) -> Instructions:
    """For a conversation whose first question is `first`, asked at `began` (seconds since the
    epoch): of the memories, those that are older than it, as many as fit."""
    used: Sequence[Memory] = ()
    if preferences.memory:
        used = chosen([one for one in memories if one.created <= began], first)
    parts = [_TONES[preferences.tone], preferences.instructions.strip()]
    if used:
        lines = [f"- {one.text} ({_day(one.changed or one.created)})" for one in used]
        head = "The person has said of themselves before (use it only where it helps):"
        parts.append("\n".join([head, *lines]))
    return Instructions("\n\n".join(filter(None, parts)), [one.id for one in used])


def chosen(
    memories: Sequence[Memory], question: str, characters: int = MEMORY_CHARACTERS
) -> list[Memory]:
    """Those that share most words with a question, then the newest, as many as have no more than so
    many characters in all."""
    asked = _telling(question)
    ranked = sorted(
        memories,
        key=lambda one: (len(asked & _telling(f"{one.text} {one.origin}")), one.created, one.id),
        reverse=True,
    )
    found: list[Memory] = []
    for one in ranked:
        characters -= len(one.text)
        if characters < 0:
            break
        found.append(one)
    return found


def _telling(text: str) -> set[str]:
    return {word for word in words_of(text) if len(word) >= _WORD_CHARACTERS}


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
