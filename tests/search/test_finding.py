"""Passages are found by their words in both languages, quoted word for word, and filtered."""

import os
from datetime import datetime

import pytest

from tests.search.conftest import BOAT, LAMP, Searching


def test_hits_name_the_place_and_quote_the_file(filled: Searching) -> None:
    [hit] = filled.hits("litres de pétrole")
    assert hit["path"] == str(filled.folder / "lampe.pdf")
    assert hit["anchor"]["page"] == 2
    assert hit["quote"] == LAMP
    marked = [hit["quote"][start:end] for start, end in hit["marks"]]
    assert "litres" in marked
    assert "pétrole" in marked


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("supply boat", "boat.md, lines 5"),
        ("paid leave", "leave.docx, paragraph 2"),
        ("paraffin", "costs.xlsx, sheet Stores, A2:B2"),
        ("horn sounds", "talk.pptx, slide 1"),
        ("pétrole", "lampe.pdf, page 2"),
    ],
)
def test_the_place_in_words(filled: Searching, words: str, place: str) -> None:
    shown = filled(words)
    assert place.replace("lines 5", "line 5") in shown.splitlines()[0]


def test_found_words_are_marked(filled: Searching) -> None:
    assert BOAT.replace("supply boat", "*supply* *boat*") in filled("supply boat")


def test_other_forms_and_accents_find_the_same(filled: Searching) -> None:
    assert filled.names("petrole") == ["lampe.pdf"]
    assert filled.names("lampes")[0] == "lampe.pdf"
    assert filled.names("the boats were supplying")[0] == "boat.md"


def test_a_question_in_the_other_language(filled: Searching) -> None:
    assert filled.names("combien de litres la lampe brûle-t-elle ?")[0] == "lampe.pdf"
    assert filled.names("bateau")[0] == "boat.md"


def test_the_name_of_a_file_finds_it(filled: Searching) -> None:
    assert filled.names("costs") == ["costs.xlsx"]


def test_filters(filled: Searching) -> None:
    old = datetime(2020, 5, 1).timestamp()
    os.utime(filled.folder / "boat.md", (old, old))
    below = filled.folder / "below"
    below.mkdir()
    (below / "boat.txt").write_text("Another boat, in a folder of its own.")
    filled("index")
    assert set(filled.names("boat")) == {"boat.md", "boat.txt"}
    assert filled.names("boat", "--type", "md") == ["boat.md"]
    assert filled.names("boat", "--in", str(below)) == ["boat.txt"]
    assert filled.names("boat", "--since", "2020-05-02") == ["boat.txt"]
    assert filled.names("boat", "--before", "2020-05-02", "--since", "2020-05-01") == ["boat.md"]
    assert filled.names("--limit", "1", "boat") == filled.names("boat")[:1]


def test_a_day_that_is_none(filled: Searching) -> None:
    assert "2026-13-01" in str(filled.invoke("boat", "--since", "2026-13-01").exception)


@pytest.mark.parametrize("words", ['"', "AND", "boat) OR (", "stems:", "*", "NEAR(", "  ", "😀"])
def test_nothing_is_taken_for_syntax(filled: Searching, words: str) -> None:
    filled.hits(words)


def test_words_that_are_a_command_can_be_looked_for(filled: Searching) -> None:
    (filled.folder / "a.txt").write_text("An index of first lines.")
    filled("index")
    assert filled.names("find", "index") == ["a.txt"]


def test_what_is_said_when_nothing_is_found(searching: Searching) -> None:
    assert "archipel search index" in searching("zeppelin")
    searching("index")
    assert searching("zeppelin") == "nothing found\n"
    searching("remove", str(searching.folder))
    assert "archipel search add" in searching("zeppelin")


def test_nothing_found(filled: Searching) -> None:
    assert filled.hits("zeppelin") == []
    assert "nothing found" in filled("zeppelin")


def test_the_same_file_twice_is_one_hit(filled: Searching) -> None:
    copy = filled.folder / "copy of boat.md"
    copy.write_bytes((filled.folder / "boat.md").read_bytes())
    assert "known by their bytes" in filled("index")
    [hit] = filled.hits("supply boat")
    assert {hit["path"], *hit["copies"]} == {str(filled.folder / "boat.md"), str(copy)}


def test_help_has_an_example_for_each(searching: Searching) -> None:
    for command in ("add", "remove", "folders", "index", "watch", "find"):
        assert f"archipel search {command}"[:16] in searching(command, "--help")
    assert 'archipel search "' in searching("--help")
