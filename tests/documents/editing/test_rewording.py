"""Steps from an old text to a new one: both can be told from them, and what is no text stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archipel.documents.blocks import Anchor
from archipel.documents.editing.rewording import Step, steps
from archipel.documents.editing.stretches import OBJECT, Change, Mark, Stretch

_TEXT = st.text(alphabet="ab é,.\u202f\n" + OBJECT, max_size=40)


def _sides(stretch: Stretch, found: list[Step]) -> tuple[str, str]:
    """The old text and the new one, as the steps have them."""
    old = "".join(stretch.text[s.begin : s.end] for s in found if s.kind != "insert")
    new = "".join(
        s.text if s.kind == "insert" else stretch.text[s.begin : s.end]
        for s in found
        if s.kind != "delete"
    )
    return old, new


@given(_TEXT, _TEXT)
def test_refusing_all_gives_the_old_text_and_accepting_all_the_new(old: str, new: str) -> None:
    surplus = new.count(OBJECT) - old.count(OBJECT)
    new = new.replace(OBJECT, "", max(surplus, 0)) + OBJECT * max(-surplus, 0)
    stretch = Stretch(old, Anchor())
    found = steps(stretch, Change(new))
    assert _sides(stretch, found) == (old, new)
    assert not any(OBJECT in old[s.begin : s.end] for s in found if s.kind == "delete")


def test_a_correction_changes_the_words_that_are_wrong_and_no_others() -> None:
    stretch = Stretch("The committee have met on Tuesday.", Anchor())
    found = steps(stretch, Change("The committee has met on Tuesday."))
    changed = [(s.kind, s.text or stretch.text[s.begin : s.end]) for s in found if s.kind != "keep"]
    assert changed == [("delete", "have"), ("insert", "has")]


def test_what_is_put_in_looks_like_what_it_takes_the_place_of() -> None:
    stretch = Stretch("A very bold word here", Anchor(), (Mark(2, 11, 0),))
    [put] = [s for s in steps(stretch, Change("A very brave word here")) if s.kind == "insert"]
    assert (put.text, stretch.text[put.like]) == ("brave", "b")


def test_a_translation_takes_the_looks_that_are_named() -> None:
    stretch = Stretch("The important thing", Anchor(), (Mark(4, 13, 0),))
    change = Change("La chose importante", (Mark(9, 19, 0),))
    put = [(s.text, s.like) for s in steps(stretch, change) if s.kind == "insert"]
    assert put == [("La chose ", 0), ("importante", 4)]


def test_as_many_objects_must_come_back() -> None:
    with pytest.raises(ValueError, match="0 objects in the place of 1"):
        steps(Stretch(f"a{OBJECT}b", Anchor()), Change("ab"))
