"""What of a model's text is suggested."""

import pytest

from archipel.editor.suggestion import around, is_whole, shaped


@pytest.mark.parametrize(
    ("text", "before", "behind", "shown"),
    [
        ("a, b):\n    return a\n", "def f(", "):\n", "a, b):"),  # the line goes on behind
        ("x = 1\n    y = 2\nprint()", "def f():\n    ", "\n\nf()\n", "x = 1\n    y = 2"),
        ("return 1\n\n\n\nmore", "", "", "return 1"),  # two empty lines end it
        ("\n    return 1", "def f():", "\n", "\n    return 1"),
        ("  \n", "x", "", ""),
        ("\n".join(map(str, range(40))), "", "", "\n".join(map(str, range(12)))),
    ],
)
def test_a_suggestion_is_a_line_or_the_rest_of_the_block(
    text: str, before: str, behind: str, shown: str
) -> None:
    assert shaped(text, before, behind) == shown


@pytest.mark.parametrize(
    ("text", "before", "behind", "whole"),
    [
        ("a, b):", "def f(", "):\n", False),
        ("a, b):\n", "def f(", "):\n", True),
        ("x = 1\n    y = 2\n", "def f():\n    ", "\n\nf()\n", False),
        ("x = 1\n    y = 2\n  ", "def f():\n    ", "\n\nf()\n", False),  # the line may go on
        ("x = 1\n    y = 2\np", "def f():\n    ", "\n\nf()\n", True),
        ("x = 1\n\n", "def f():\n    ", "\n", False),  # one empty line is of the block
        ("x = 1\n\n\n    y", "def f():\n    ", "\n", True),
        ("\n".join("abcdefghijkl"), "", "", False),
        ("\n".join("abcdefghijklm"), "", "", True),
    ],
)
def test_a_model_is_stopped_where_more_would_change_nothing(
    text: str, before: str, behind: str, whole: bool
) -> None:
    assert is_whole(text, before, behind) == whole
    more = ("", "z", "    z", "\n", "\n\n\n", "\nz")
    shown = {shaped(text + one, before, behind) for one in more}
    assert len(shown) == 1 if whole else len(shown) > 1


def test_what_a_model_reads_begins_at_the_same_place_while_one_types() -> None:
    lines = "".join(f"line {number}\n" for number in range(2000))
    at = len(lines) // 2
    texts = [around(lines[:at] + "x" * typed, at + typed, 6000, 2000)[0] for typed in range(300)]
    assert len({text[:40] for text in texts}) <= 2
    assert all(6000 <= len(text) < 7500 for text in texts)
    assert around("short", 3, 6000, 2000) == ("sho", "rt")
