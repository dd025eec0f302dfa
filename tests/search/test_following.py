"""`watch` and `index` as processes: changes are found soon, whatever kills them loses nothing."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from tests.search.conftest import BOAT, Searching

COMMAND = [sys.executable, "-m", "archipel", "search"]


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Look until it holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never held"


@contextmanager
def running(*words: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a process of its own, which is gone afterwards."""
    process = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_changes_are_found_while_it_watches(filled: Searching) -> None:
    folder = filled.folder
    with running("watch") as watching:
        (folder / "new.txt").write_text("A telegram came.")
        until(lambda: filled.names("telegram") == ["new.txt"])
        (folder / "new.txt").write_text("A parcel came.")
        until(lambda: filled.names("parcel") == ["new.txt"])
        assert filled.names("telegram") == []
        (folder / "new.txt").rename(folder / "renamed.txt")
        until(lambda: filled.names("parcel") == ["renamed.txt"])
        (folder / "renamed.txt").unlink()
        until(lambda: filled.counted()["read"] == 5)
        (folder / ".git").mkdir()
        (folder / ".git" / "a.txt").write_text("hidden words")
        (folder / "below").mkdir()
        (folder / "below" / "a.txt").write_text("Visible words.")
        until(lambda: filled.names("visible") == ["a.txt"])
        assert filled.names("hidden") == []
        watching.send_signal(signal.SIGTERM)
        assert watching.wait(30) == 0


def test_a_folder_that_is_added_while_it_watches(filled: Searching, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.txt").write_text("A telegram came.")
    with running("watch"):
        filled("add", str(other))
        until(lambda: filled.names("telegram") == ["a.txt"])
        filled("remove", str(other))
        until(lambda: filled.names("telegram") == [])


def test_only_one_at_a_time(filled: Searching) -> None:
    with running("watch") as watching:
        (filled.folder / "a.txt").write_text("A telegram came.")
        until(lambda: filled.names("telegram") == ["a.txt"])
        assert "another" in str(filled.invoke("index").exception)
        watching.kill()
        watching.wait()
    assert filled("index") == "nothing changed\n"


def many(searching: Searching, letters: int) -> None:
    for number in range(letters):
        path = searching.folder / f"{number}.txt"
        path.write_text(f"Letter {number} of the keeper. {BOAT}\n\n" + "The sea was calm. " * 8_000)


def test_ctrl_c_and_kill_lose_nothing(searching: Searching) -> None:
    many(searching, 150)
    with running("index") as indexing:
        until(lambda: searching.counted()["read"] > 0)
        indexing.send_signal(signal.SIGINT)
        assert indexing.wait(30) == 130
    first = searching.counted()["read"]
    assert 0 < first < 150
    with running("index") as indexing:
        until(lambda: searching.counted()["read"] > first)
        indexing.kill()
        indexing.wait()
    second = searching.counted()["read"]
    assert first < second < 150
    assert searching("index") == f"{150 - second} read\n"
    assert searching.names("letter 149")[0] == "149.txt"


def test_files_that_change_and_vanish_during_the_work(searching: Searching) -> None:
    many(searching, 60)
    with running("index") as indexing:
        turns = count()
        while indexing.poll() is None:
            turn = next(turns)
            for number in (57, 58):
                text = f"Letter {number} of the keeper, written for the {turn}th time."
                (searching.folder / f"{number}.txt").write_text(text)
            (searching.folder / "59.txt").unlink(missing_ok=True)
        assert indexing.returncode == 0
    searching("index")
    counted = searching.counted()
    assert counted["read"] == 59
    assert counted["refusals"] == []
    assert searching.names("letter 58", "--limit", "1") == ["58.txt"]


def test_readers_end_with_the_command(searching: Searching) -> None:
    many(searching, 50)
    with running("index") as indexing:
        until(lambda: _children(indexing.pid) != [])
        readers = _children(indexing.pid)
        indexing.kill()
        indexing.wait()
        until(lambda: not any(Path(f"/proc/{one}").exists() for one in readers))


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(one) for one in found.split()]


def test_a_first_pass_of_watch_can_be_ended(searching: Searching) -> None:
    many(searching, 100)
    with running("watch") as watching:
        until(lambda: searching.counted()["read"] > 0)
        watching.send_signal(signal.SIGINT)
        assert watching.wait(30) == 0
    assert 0 < searching.counted()["read"] < 100


def test_it_waits_for_who_writes(filled: Searching) -> None:
    """A folder can be added while the index is brought up to date."""
    many(filled, 60)
    (filled.folder.parent / "other").mkdir()
    with running("index") as indexing:
        until(lambda: filled.counted()["read"] > 5)
        filled("add", str(filled.folder.parent / "other"))
        assert indexing.wait(60) == 0
