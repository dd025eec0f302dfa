"""What people prefer and what is remembered of them, in both databases."""

import pytest

from archipel.assistant.history import conversations, memories, messages, preferences
from archipel.assistant.history.memories import Found
from archipel.assistant.history.messages import Draft
from archipel.assistant.history.preferences import Preferences
from archipel.database import Database
from archipel.errors import ConfigError, NotFound

ANA, BEN = "ana", "ben"


def said(history: Database, owner: str, text: str) -> tuple[int, int]:
    """A conversation of one message; gives both ids."""
    with history.writing() as connection:
        id_ = conversations.begin(connection, owner, 1.0)
        return id_, messages.add(connection, id_, None, Draft(role="user", text=text), 1.0).id


def remember(history: Database, owner: str, text: str, message: int, now: float = 2.0) -> bool:
    found = Found(text=text, origin="I live in Lyon.", message=message)
    with history.writing() as connection:
        return memories.add(connection, owner, found, now)


def texts(history: Database, owner: str) -> list[str]:
    with history.reading() as connection:
        return [one.text for one in memories.listed(connection, owner)]


def test_preferences_are_the_default_until_changed_and_ones_own(history: Database) -> None:
    with history.writing() as connection:
        assert preferences.find(connection, ANA) == Preferences()
        preferences.change(connection, ANA, {"instructions": "Be\0 kind", "memory": True})
        changed = preferences.change(connection, ANA, {"tone": "plain", "model": "island"})
        assert changed == Preferences(
            instructions="Be� kind", tone="plain", model="island", memory=True
        )
        assert preferences.find(connection, BEN) == Preferences()


def test_a_memory_has_its_sentence_its_time_and_the_way_to_its_message(history: Database) -> None:
    conversation, message = said(history, ANA, "I live in Lyon.")
    assert remember(history, ANA, "Lives in Lyon", message)
    with history.reading() as connection:
        [one] = memories.listed(connection, ANA)
    assert (one.text, one.origin, one.created) == ("Lives in Lyon", "I live in Lyon.", 2.0)
    assert (one.message, one.conversation, one.changed) == (message, conversation, None)


def test_the_same_is_remembered_once_however_it_is_written(history: Database) -> None:
    _, message = said(history, ANA, "I live in Lyon.")
    assert remember(history, ANA, "Née à Lyon", message)
    assert not remember(history, ANA, "  NEE a  lyon!", message)
    assert remember(history, BEN, "Née à Lyon", message)
    assert texts(history, ANA) == ["Née à Lyon"]


def test_a_memory_outlives_its_message(history: Database) -> None:
    conversation, message = said(history, ANA, "I live in Lyon.")
    remember(history, ANA, "Lives in Lyon", message)
    with history.writing() as connection:
        conversations.erase(connection, ANA, conversation)
        [one] = memories.listed(connection, ANA)
    assert (one.message, one.conversation) == (None, None)
    assert not remember(history, ANA, "Lives by the sea", message)  # it was erased meanwhile


def test_there_is_an_end_to_it(history: Database) -> None:
    _, message = said(history, ANA, "I live in Lyon.")
    kept = [remember(history, ANA, f"Fact {n}", message) for n in range(memories.MOST + 2)]
    assert kept == [True] * memories.MOST + [False, False]


def test_a_memory_is_corrected_and_says_when(history: Database) -> None:
    _, message = said(history, ANA, "I live in Lyon.")
    remember(history, ANA, "Lives in Lyon", message)
    remember(history, ANA, "Likes the sea", message, 3.0)
    with history.writing() as connection:
        _, first = memories.listed(connection, ANA)
        changed = memories.correct(connection, ANA, first.id, "Lives in\n Nantes", 5.0)
        assert (changed.text, changed.changed, changed.created) == ("Lives in Nantes", 5.0, 2.0)
        for text in ("", "x" * 301, "likes THE sea"):
            with pytest.raises(ConfigError):
                memories.correct(connection, ANA, first.id, text, 6.0)
        memories.correct(connection, ANA, first.id, "lives in Nantes!", 7.0)


def test_memories_are_erased_one_or_all(history: Database) -> None:
    _, message = said(history, ANA, "I live in Lyon.")
    for text in ("One", "Two", "Three"):
        remember(history, ANA, text, message)
    remember(history, BEN, "His", message)
    with history.writing() as connection:
        memories.erase(connection, ANA, memories.listed(connection, ANA)[0].id)
    assert texts(history, ANA) == ["Two", "One"]
    with history.writing() as connection:
        memories.erase_all(connection, ANA)
    assert texts(history, ANA) == []
    assert texts(history, BEN) == ["His"]


def test_nobody_else_finds_them(history: Database) -> None:
    _, message = said(history, ANA, "I live in Lyon.")
    remember(history, ANA, "Lives in Lyon", message)
    with history.writing() as connection:
        [one] = memories.listed(connection, ANA)
        with pytest.raises(NotFound):
            memories.find(connection, BEN, one.id)
        with pytest.raises(NotFound):
            memories.correct(connection, BEN, one.id, "mine", 3.0)
        with pytest.raises(NotFound):
            memories.erase(connection, BEN, one.id)
    assert texts(history, ANA) == ["Lives in Lyon"]
