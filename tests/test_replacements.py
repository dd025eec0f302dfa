"""SEARCH/REPLACE blocks: written for two texts, found in an answer, and applied."""

import pytest

from archipel.replacements import (
    replace,
    replacement_block,
    replacements_in,
    without_blocks,
)


@pytest.mark.parametrize(
    ("old", "new", "searched"),
    [
        ("a\nb\nc", "a\nx\nc", ["b"]),
        ("a\nb\nc\nb\nd", "a\nb\nc\nx\nd", ["c", "b"]),  # the second b
        ("a\na\na", "a\na\nx", ["a", "a", "a"]),
        ("a\nb", "a\nx\nb", ["a"]),
        ("b", "a\nb", ["b"]),
        ("a\nb\nc", "a", ["b", "c"]),
        ("", "a", [""]),
        ("a\n", "a", [""]),
        ("a", "a", ["a"]),
    ],
)
def test_a_block_makes_one_text_of_another(old: str, new: str, searched: list[str]) -> None:
    found = replacements_in(replacement_block(old, new))
    assert [one.old for one in found] == [searched]
    assert replace(old, found) == new


def test_blocks_are_found_between_words_and_made_in_turn() -> None:
    one, other = replacement_block("a\nb", "a\nc"), replacement_block("c", "d  ")
    answer = f"First this:\n\n```python\n{one}\n```\nand\n\n{other}\nThat is all."
    assert replace("a\nb  \ne", replacements_in(answer)) == "a\nd  \ne"
    assert without_blocks(answer) == "First this:\n\n\nand\n\n\nThat is all."


def test_lines_that_stand_nowhere_change_nothing() -> None:
    assert replace("a\nb", replacements_in(replacement_block("ab", "c"))) is None
    assert not replacements_in("<<<<<<< SEARCH\na\n=======\nb")
