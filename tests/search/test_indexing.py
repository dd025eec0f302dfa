"""Only what changed is read anew; what is gone leaves; what moved is known by its bytes."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from archipel.search.crew import State
from archipel.search.index import Known
from archipel.search.passing import changes
from archipel.search.walk import Closed, Seen
from archipel.search.watching import outermost
from tests.search.conftest import Searching


def test_the_second_pass_reads_nothing(filled: Searching) -> None:
    assert filled("index") == "nothing changed\n"


def test_a_changed_file_is_read_anew(filled: Searching) -> None:
    (filled.folder / "boat.md").write_text("The ferry calls on Fridays.")
    assert filled("index") == "1 read\n"
    assert filled.names("ferry") == ["boat.md"]
    assert filled.names("supply") == []


def test_a_touched_file_is_not_read(filled: Searching) -> None:
    os.utime(filled.folder / "boat.md", (1_000_000, 1_000_000))
    assert filled("index") == "1 known by their bytes\n"


def test_what_is_deleted_leaves(filled: Searching) -> None:
    (filled.folder / "boat.md").unlink()
    assert filled.names("supply") == []  # even before the next pass
    assert filled("index") == "1 gone\n"
    assert filled.counted()["read"] == 4


@pytest.mark.parametrize("copied", [False, True])
def test_a_moved_file_is_not_read_again(filled: Searching, copied: bool) -> None:
    source, target = filled.folder / "boat.md", filled.folder / "below" / "ferry.md"
    target.parent.mkdir()
    if copied:  # as between two disks: another inode, another time
        target.write_bytes(source.read_bytes())
        source.unlink()
    else:
        source.rename(target)
    assert "1 known by their bytes" in filled("index")
    assert filled.names("supply") == ["ferry.md"]
    assert filled.names("ferry") == ["ferry.md"]  # by its new name


def test_what_is_hidden_fetched_or_linked_is_left_out(searching: Searching, tmp_path: Path) -> None:
    for name in (".git", "node_modules", "__pycache__", ".venv", "kept"):
        (searching.folder / name).mkdir()
        (searching.folder / name / "a.txt").write_text("words of a lighthouse keeper")
    (searching.folder / ".hidden.txt").write_text("words")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("words of somebody else")
    (searching.folder / "way out").symlink_to(outside)
    (searching.folder / "link.txt").symlink_to(outside / "secret.txt")
    os.mkfifo(searching.folder / "pipe.txt")
    assert searching("index") == "1 read\n"
    assert [Path(hit["path"]).parent.name for hit in searching.hits("words")] == ["kept"]


def test_the_index_is_its_owners_alone(filled: Searching) -> None:
    for path in filled.home.glob("search.db*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_is_forgotten_and_its_files_stay(filled: Searching) -> None:
    filled("remove", str(filled.folder))
    assert filled.hits("supply boat") == []
    assert (filled.folder / "boat.md").exists()
    assert "no folder is watched" in filled("folders")
    refused = filled.invoke("remove", str(filled.folder))
    assert "is not watched" in str(refused.exception)


def test_a_folder_within_a_watched_one(filled: Searching) -> None:
    below = filled.folder / "below"
    below.mkdir()
    assert "is watched already" in str(filled.invoke("add", str(below)).exception)
    filled("add", str(filled.folder.parent))
    assert filled.counted()["path"] == str(filled.folder.parent)


def test_what_is_left_out_can_be_added_by_itself(filled: Searching) -> None:
    hidden = filled.folder / ".private"
    hidden.mkdir()
    (hidden / "a.txt").write_text("A telegram came.")
    filled("add", str(hidden))
    filled("index")
    assert filled("index") == "nothing changed\n"
    assert filled.names("telegram") == ["a.txt"]
    filled("remove", str(filled.folder))
    assert filled.names("telegram") == ["a.txt"]
    filled("add", str(filled.folder))
    filled("remove", str(hidden))
    assert filled.names("telegram") == []


def test_a_folder_that_is_away_keeps_what_was_read(filled: Searching) -> None:
    away = filled.folder.rename(filled.folder.with_name("away"))
    assert "doesn't answer" in filled("index")
    assert filled.hits("supply boat") == []
    away.rename(filled.folder)
    assert filled("index") == "nothing changed\n"
    assert filled.names("supply boat") == ["boat.md"]


def test_without_a_folder_there_is_nothing_to_index(filled: Searching) -> None:
    filled("remove", str(filled.folder))
    assert "archipel search add" in str(filled.invoke("index").exception)


def test_an_index_of_another_version(filled: Searching) -> None:
    with sqlite3.connect(filled.home / "search.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert "version 99" in str(filled.invoke("boat").exception)


OLD, NEW = State(1, 1, 1), State(2, 2, 2)


def test_changes_are_what_differs() -> None:
    known = {name: Known(OLD, 1, None) for name in ("/a/same", "/a/other", "/a/gone", "/b/shut")}
    found = [Seen("/a/same", OLD), Seen("/a/other", NEW), Closed("/b", denied=False)]
    result = changes(found, known)
    assert result.to_read == [Seen("/a/other", NEW)]
    assert result.gone == ["/a/gone"]
    assert result.closed == ["/b"]


def test_what_may_not_be_listed_is_forgotten() -> None:
    result = changes([Closed("/a", denied=True)], {"/a/file": Known(OLD, 1, None)})
    assert result.gone == ["/a/file"]
    assert result.denied == ["/a"]


def test_what_could_not_be_read_is_tried_again() -> None:
    known = {"/a": Known(OLD, None, "NotAllowed"), "/b": Known(OLD, None, "DocumentCorrupt")}
    assert changes([Seen("/a", OLD), Seen("/b", OLD)], known).to_read == [Seen("/a", OLD)]


def test_outermost() -> None:
    assert outermost(["/a/b/c", "/a", "/ab", "/a/b"]) == ["/a", "/ab"]
