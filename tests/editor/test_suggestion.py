"""What of a model's text is suggested."""

import pytest

from archipel.editor.suggestion import around, shaped


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


def test_what_a_model_reads_begins_at_the_same_place_while_one_types() -> None:
    lines = "".join(f"line {number}\n" for number in range(2000))
    at = len(lines) // 2
    texts = [around(lines[:at] + "x" * typed, at + typed)[0] for typed in range(300)]
    assert len({text[:40] for text in texts}) <= 2
    assert all(6000 <= len(text) < 7500 for text in texts)
    assert around("short", 3) == ("sho", "rt")
