"""What is particular to a folder: when it is made, and a disk that is full."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel.errors import ConfigError, StoreError
from archipel.store import Store


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    os.sync()
    subprocess.run(["umount", str(disk)], check=True)


def test_reading_makes_no_folder(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "mistyped" / "run"))
    assert store.get("run.json") is None
    assert store.get_part("part") is None
    assert store.list("sites") == []
    store.delete(["run.json"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", ["put", "put_if_absent", "put_part"])
def test_the_first_write_makes_the_folder(tmp_path: Path, write: str) -> None:
    url = str(tmp_path / "new" / "run")
    reader = Store(url)
    assert reader.get("a/b") is None
    getattr(Store(url), write)("a/b", b"1")
    assert reader.get("a/b") == b"1"
    assert [info.key for info in reader.list("a")] == ["a/b"]


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for url in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(ConfigError, match="can't open the store"):
            Store(str(url))


@pytest.mark.parametrize("write", ["put", "put_if_absent", "put_part"])
def test_a_full_disk_says_so_and_leaves_nothing_behind(small_disk: Path, write: str) -> None:
    store = Store(str(small_disk / "run"))
    store.put("old", b"1" * 700_000)
    with pytest.raises(StoreError, match="No space left on device"):
        getattr(store, write)("new", b"2" * 600_000)
    assert [path.name for path in small_disk.rglob("*") if path.is_file()] == ["old"]
    with pytest.raises(StoreError, match="No space left on device"):
        store.put("old", b"3" * 600_000)
    assert store.get("old") == b"1" * 700_000
    store.delete(["old"])
    getattr(store, write)("new", b"2" * 600_000)
    assert store.get("new") == b"2" * 600_000
