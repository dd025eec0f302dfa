"""A library holds documents once, keeps owners and collections apart, and takes any question."""

import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archipel.documents.ingest import ingest
from archipel.documents.library import Library, Place, Scope
from archipel.documents.passages import Passage
from archipel.documents.search import search
from archipel.errors import ConfigError, DatabaseError, DocumentEmpty

NOW = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "library.db")


def add(library: Library, folder: Path, place: Place, text: str) -> bool:
    path = folder / "upload"
    path.write_text(text)
    return asyncio.run(ingest(library, path, place, NOW))


def found(library: Library, question: str, *scopes: Scope) -> list[str]:
    return [passage.place.name for passage in asyncio.run(search(library, question, scopes))]


def test_what_is_unchanged_is_not_read_again(library: Library, tmp_path: Path) -> None:
    place = Place("ada", "work", "leave.md")
    assert add(library, tmp_path, place, "# Leave\n\nThirty days.")
    assert not add(library, tmp_path, place, "# Leave\n\nThirty days.")
    (held,) = library.documents([Scope("ada")])
    assert (held.place, held.added, held.title, held.language) == (place, NOW, "Leave", "other")
    assert add(library, tmp_path, place, "# Leave\n\nForty days.")
    assert [held.title for held in library.documents([Scope("ada")])] == ["Leave"]
    assert found(library, "forty", Scope("ada")) == ["leave.md"]
    assert found(library, "thirty", Scope("ada")) == []


def test_what_is_removed_is_found_no_more(library: Library, tmp_path: Path) -> None:
    place = Place("ada", "work", "leave.md")
    add(library, tmp_path, place, "Thirty days.")
    assert library.remove(place)
    assert not library.remove(place)
    assert found(library, "thirty days", Scope("ada")) == []
    with sqlite3.connect(tmp_path / "library.db") as connection:
        for table in ("documents", "blocks", "chunks", "chunk_words", "vectors"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    connection.close()


def test_a_document_that_can_t_be_read_leaves_the_old_one(library: Library, tmp_path: Path) -> None:
    place = Place("ada", "work", "leave.md")
    add(library, tmp_path, place, "Thirty days.")
    with pytest.raises(DocumentEmpty):
        add(library, tmp_path, place, "  ")
    assert found(library, "thirty", Scope("ada")) == ["leave.md"]


def test_owners_and_collections_are_kept_apart(library: Library, tmp_path: Path) -> None:
    for owner, collection in (("ada", "work"), ("ada", "home"), ("bob", "work")):
        add(library, tmp_path, Place(owner, collection, f"{owner}-{collection}.md"), "The leave.")
    assert sorted(found(library, "leave", Scope("ada"))) == ["ada-home.md", "ada-work.md"]
    assert found(library, "leave", Scope("ada", "home")) == ["ada-home.md"]
    both = (Scope("ada", "home"), Scope("bob", "work"))
    assert sorted(found(library, "leave", *both)) == ["ada-home.md", "bob-work.md"]
    assert found(library, "leave") == []
    assert found(library, "leave", Scope("eve")) == []
    assert [held.place.owner for held in library.documents([Scope("bob")])] == ["bob"]
    (bob,) = library.documents([Scope("bob")])
    assert library.blocks([Scope("ada")], bob.id, 0, 9) == []
    assert len(library.blocks([Scope("bob")], bob.id, 0, 9)) == 1


@pytest.mark.parametrize(
    "question",
    [
        '"leave" OR NEAR(x y)',
        "leave AND NOT (",
        'words : * ^"leave',
        "leave\x00\x00'; DROP TABLE documents; --",
        "leave " * 2_000,
        "x" * 10_000,
        "".join(f"w{number} " for number in range(2_000)) + "leave",
        "\ud800 leave",
        "",
        "???",
        "🙂 ﷽ ＬＥＡＶＥ",
        "the of and",
    ],
)
def test_any_text_is_a_question(library: Library, tmp_path: Path, question: str) -> None:
    add(library, tmp_path, Place("ada", "work", "leave.md"), "The leave of staff and others.")
    assert found(library, question, Scope("ada")) in ([], ["leave.md"])
    assert len(library.documents([Scope("ada")])) == 1


def test_accents_case_and_endings_don_t_matter(library: Library, tmp_path: Path) -> None:
    add(library, tmp_path, Place("ada", "work", "fr.md"), "Les réunions de l’équipe, à l’œuvre.")
    add(library, tmp_path, Place("ada", "work", "en.md"), "She was translating the agreements.")
    for question in ("reunion", "RÉUNION", "equipes", "oeuvres"):
        assert found(library, question, Scope("ada")) == ["fr.md"]
    for question in ("translate", "agreement", "Translations"):
        assert found(library, question, Scope("ada")) == ["en.md"]


def test_headings_find_a_passage_and_are_not_in_its_text(library: Library, tmp_path: Path) -> None:
    text = "# Parental leave\n\n" + "\n\n".join(f"Rule {n} {'is this ' * 30}" for n in range(20))
    add(library, tmp_path, Place("ada", "work", "leave.md"), text)
    passages: list[Passage] = asyncio.run(search(library, "parental rule 19", [Scope("ada")]))
    assert "Rule 19" in passages[0].text
    assert "Parental" not in passages[0].text


def test_passages_overlap_and_leave_nothing_out(library: Library, tmp_path: Path) -> None:
    paragraphs = [f"Paragraph {n} about topic{n}. " + "word " * 40 for n in range(30)]
    paragraphs.append("Long. " + " ".join(f"Sentence {n} says long{n}." for n in range(400)))
    add(library, tmp_path, Place("ada", "work", "a.txt"), "\n\n".join(paragraphs))
    for number in (0, 3, 4, 17, 29):
        passages = asyncio.run(search(library, f"topic{number}", [Scope("ada")]))
        assert 1 <= len(passages) <= 2
        assert all(f"about topic{number}." in passage.text for passage in passages)
    for number in (0, 57, 399):
        passages = asyncio.run(search(library, f"long{number}", [Scope("ada")]))
        assert any(f"Sentence {number} says long{number}." in one.text for one in passages)
        assert all(len(passage.text.split()) <= 240 for passage in passages)


def test_a_place_must_have_names(library: Library, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lacks one"):
        add(library, tmp_path, Place("ada", " ", "a.md"), "Words")


def test_a_file_that_is_no_library(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(
        b"This is no database, and long enough to be taken for one. " * 9
    )
    with pytest.raises(DatabaseError, match="not a database"):
        Library(tmp_path / "a.db")


def test_a_library_of_another_version(tmp_path: Path) -> None:
    Library(tmp_path / "a.db")
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(DatabaseError, match="version 99"):
        Library(tmp_path / "a.db")
