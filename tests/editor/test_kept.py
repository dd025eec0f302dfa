"""What counts as kept of a suggestion, and what is counted."""

import stat
from pathlib import Path

import pytest
from lsprotocol import types

from archipel.editor.counts import Counts, Kind, Sum
from archipel.editor.kept import is_kept, moved, share
from archipel.errors import DatabaseError

ABOVE = "".join(f"line {number}\n" for number in range(30))


def change(start: int, end: int, text: str) -> types.TextDocumentContentChangePartial:
    where = types.Range(types.Position(start, 0), types.Position(end, 0))
    return types.TextDocumentContentChangePartial(where, text)


def test_a_suggestion_that_stands_there_is_kept() -> None:
    assert is_kept("return sum(prices)", ABOVE + "    return sum(prices)\n", 30)


def test_one_that_was_formatted_or_renamed_in_a_part_is_kept() -> None:
    split = "    return sum(\n        prices,\n    )\n"
    assert is_kept("return sum(prices)", ABOVE + split, 30)
    assert is_kept("return total(prices, rate)", ABOVE + "    return total(prices, tax)\n", 30)


def test_one_that_was_written_anew_or_is_gone_is_not() -> None:
    assert not is_kept("return sum(prices)", ABOVE + "    raise NotImplementedError\n", 30)
    assert not is_kept("return sum(prices)", ABOVE, 30)
    assert not is_kept("return sum(prices)", "", 30)


def test_the_same_words_far_away_do_not_count() -> None:
    assert not is_kept("return sum(prices)", "return sum(prices)\n" + ABOVE, 30)


def test_words_count_by_their_characters_and_in_their_order() -> None:
    assert share("abc def", "abc def") == 1
    assert share("abc def", "def abc") == 0.5
    assert share("abcdefghi j", "abcdefghi k") == 0.9
    assert share("ab ab", "ab") == 0.5


@pytest.mark.parametrize(
    ("line", "one", "then"),
    [
        (5, change(0, 0, "a\nb\n"), 7),
        (5, change(0, 2, ""), 3),
        (5, change(5, 5, "a\n"), 5),
        (5, change(6, 9, ""), 5),
        (5, change(3, 8, "x\n"), 3),
        (5, types.TextDocumentContentChangeWholeDocument("all new"), 5),
    ],
)
def test_a_place_moves_with_what_changes_above_it(
    line: int, one: types.TextDocumentContentChangeEvent, then: int
) -> None:
    assert moved(line, one) == then


def test_numbers_add_up_by_day_language_and_model(tmp_path: Path) -> None:
    counts = Counts(tmp_path / "home" / "editor.db")
    assert counts.sums("day") == []
    counts.add(Kind("2026-11-28", "python", "coder"), shown=1)
    counts.add(Kind("2026-11-29", "python", "coder"), shown=1)
    Counts(counts.path).add(Kind("2026-11-29", "lua", "coder"), shown=2, accepted=1, kept=1)
    assert counts.sums("day") == [Sum("2026-11-28", 1, 0, 0), Sum("2026-11-29", 3, 1, 1)]
    assert counts.sums("language") == [Sum("lua", 2, 1, 1), Sum("python", 2, 0, 0)]
    assert counts.sums("model") == [Sum("coder", 4, 1, 1)]


def test_only_the_person_can_read_the_file(tmp_path: Path) -> None:
    counts = Counts(tmp_path / "editor.db")
    counts.add(Kind("2026-11-29", "python", "coder"), shown=1)
    assert stat.S_IMODE(counts.path.stat().st_mode) == 0o600


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "editor.db"
    path.write_text("no database, for sure")
    with pytest.raises(DatabaseError, match=r"editor\.db.*remove it"):
        Counts(path).add(Kind("2026-11-29", "python", "coder"), shown=1)
