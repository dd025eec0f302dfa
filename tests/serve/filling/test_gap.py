"""What of a filled gap only repeats what stands behind it."""

import pytest

from archipel.serve.filling.asked import fitted
from archipel.serve.gap import Untangled


@pytest.mark.parametrize(
    ("text", "behind", "left"),
    [
        ("x, y)", ")\n", "x, y"),  # a bracket that nothing in the gap opened
        ("foo()", ")", "foo()"),  # its own
        ("a[0]))", "))\n", "a[0]"),
        ("y = 1\n    return x", "\n    return x\n", "y = 1"),  # a whole line
        ("x in items:", " in items:\n    pass", "x"),  # the rest of the gap's line
        ("i", "in items", "i"),  # a word may begin as what is behind does
        ("y\n", "\n\n\ndef f", "y\n"),  # empty lines are no repetition
        ("value", "", "value"),
    ],
)
def test_what_stands_behind_the_gap_already_is_left_out(text: str, behind: str, left: str) -> None:
    for size in (1, 3, len(text)):
        untangled = Untangled(behind)
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        assert "".join([*map(untangled.take, pieces), untangled.rest()]) == left


def test_what_can_be_no_repetition_is_given_on_at_once() -> None:
    untangled = Untangled(") + 1")
    assert untangled.take("f(x") == "f(x"
    assert untangled.take(")") == ""
    assert untangled.take(" * 2") == ") * 2"


def test_a_text_that_is_cut_begins_at_the_same_place_while_some_more_is_typed() -> None:
    text = "".join(f"{number} " for number in range(1000))
    cut = [fitted(text + "x" * typed, "behind", 400)[0] for typed in range(50)]
    assert len({one[:20] for one in cut}) <= 2
    assert all(250 <= len(one) <= 394 for one in cut)


def test_the_text_nearest_to_the_gap_stays() -> None:
    assert fitted("abcdefgh", "12345678", 8) == ("cdefgh", "12")
    assert fitted("ab", "12345678", 8) == ("ab", "123456")
    assert fitted("abcdefgh", "1", 8) == ("bcdefgh", "1")
    assert fitted("ab", "12", None) == ("ab", "12")
