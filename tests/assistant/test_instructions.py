"""What a model is told before a conversation."""

from dataclasses import replace

from archipel.assistant.history.memories import Memory
from archipel.assistant.history.preferences import Preferences
from archipel.assistant.instructions import MEMORY_CHARACTERS, chosen, instructions

MEMORY = Memory(
    id=1,
    text="Lives in Lyon",
    origin="I live in Lyon.",
    message=None,
    conversation=None,
    created=0.0,
    changed=None,
)
ON = Preferences(tone="none", memory=True)


def memory(id_: int, text: str, created: float = 0.0) -> Memory:
    return replace(MEMORY, id=id_, text=text, origin=text, created=created)


def test_by_default_the_tone_is_warm_and_brief_and_nothing_else_is_said() -> None:
    told = instructions(Preferences(), [MEMORY], "Hello", 1.0)
    assert "warm" in told.text
    assert "brief" in told.text
    assert "Lyon" not in told.text
    assert list(told.memories) == []


def test_without_a_tone_there_may_be_nothing_to_say() -> None:
    assert instructions(Preferences(tone="none"), [], "Hello", 1.0).text == ""


def test_ones_own_instructions_come_with_the_tone() -> None:
    told = instructions(Preferences(instructions=" Call me Ana. "), [], "Hello", 1.0).text
    assert told.endswith("\n\nCall me Ana.")
    assert "warm" in told


def test_memories_come_with_their_day_and_are_named() -> None:
    told = instructions(ON, [replace(MEMORY, changed=86_400.0)], "Hello", 1.0)
    assert "- Lives in Lyon (1970-01-02)" in told.text
    assert list(told.memories) == [1]


def test_a_conversation_is_told_what_was_known_when_it_began() -> None:
    known = [memory(1, "old", created=1.0), memory(2, "new", created=3.0)]
    assert list(instructions(ON, known, "Hello", 2.0).memories) == [1]


def test_what_shares_words_comes_first_then_what_is_newest() -> None:
    known = [
        memory(1, "Lives in Lyon", created=1.0),
        memory(2, "Learns Italian", created=2.0),
        memory(3, "Is allergic to nuts", created=3.0),
    ]
    asked = "Où aller à LYON ce soir ?"
    assert [one.id for one in chosen(known, asked)] == [1, 3, 2]
    assert [one.id for one in chosen(known, asked, len("Lives in Lyon") + 5)] == [1]


def test_memories_keep_to_their_room() -> None:
    known = [memory(n, f"{n:02} " + "x" * 290, created=n) for n in range(50)]
    used = chosen(known, "Hello")
    assert sum(len(one.text) for one in used) <= MEMORY_CHARACTERS
    assert [one.id for one in used] == [49, 48, 47, 46, 45]
