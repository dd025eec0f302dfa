"""Files that can't be read are said with their reason, and nothing else is lost."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pypdf
import pytest

from archipel.documents.blocks import Limits
from archipel.errors import DocumentCorrupt, DocumentTooLarge
from archipel.search.crew import Crew, crew_of
from tests.documents.made import make_docx, make_pdf, rezipped
from tests.search.conftest import BOAT, Searching

SECRET = "The safe is behind the barometer."


def test_each_kind_of_refusal_is_said(searching: Searching) -> None:
    folder = searching.folder
    (folder / "good.txt").write_text(BOAT)
    plain = make_pdf(folder / "plain.pdf", [[("Words", 12)]])
    writer = pypdf.PdfWriter(clone_from=plain)
    writer.encrypt("word", algorithm="AES-256")
    writer.write(folder / "locked.pdf")
    (folder / "half.pdf").write_bytes(b"%PDF-1.7\n" + bytes(range(256)) * 40)
    docx = make_docx(folder / "macros.docx", [("Normal", "Some words")])
    docx.write_bytes(rezipped(docx.read_bytes(), {"word/vbaProject.bin": b"x"}))
    bomb = make_docx(folder / "bomb.docx", [("Normal", "Some words")])
    bomb.write_bytes(rezipped(bomb.read_bytes(), {"word/media/a.bin": bytes(600 << 20)}))
    make_pdf(folder / "scan.pdf", [[], []])
    (folder / "empty.txt").write_text("")
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(9_000))
    with (folder / "film.txt").open("wb") as file:
        file.write(b"words ")
        file.truncate(2 << 30)
    with (folder / "long.txt").open("wb") as file:
        file.write(b"words " * (12 << 20))

    assert searching("index").startswith("2 read, 9 not read")
    assert {name: kind for name, (kind, _) in searching.refused().items()} == {
        "locked.pdf": "DocumentLocked",
        "half.pdf": "DocumentCorrupt",
        "macros.docx": "DocumentHasMacros",
        "bomb.docx": "DocumentTooLarge",
        "scan.pdf": "DocumentScanned",
        "empty.txt": "DocumentEmpty",
        "photo.jpg": "DocumentUnsupported",
        "film.txt": "DocumentUnsupported",
        "long.txt": "DocumentTooLarge",
    }
    assert "behind a password" in searching("folders")
    assert searching.names("supply boat") == ["good.txt"]
    assert searching("index") == "nothing changed\n"


def test_a_thousand_pages(searching: Searching) -> None:
    pages = [[(f"Page about the {number}th lamp", 12)] for number in range(1, 1001)]
    make_pdf(searching.folder / "long.pdf", pages)
    searching("index")
    [hit] = searching.hits("977th")
    assert hit["anchor"]["page"] == 977


def test_a_file_that_was_bad_and_is_good(searching: Searching) -> None:
    path = searching.folder / "a.docx"
    path.write_bytes(b"PK\x03\x04 half of it")
    searching("index")
    assert "a.docx" in searching.refused()
    make_docx(path, [("Normal", BOAT)])
    assert searching("index") == "1 read\n"
    assert searching.refused() == {}


def test_a_name_that_is_no_text(searching: Searching) -> None:
    Path(os.fsdecode(bytes(searching.folder) + b"/caf\xe9.txt")).write_text(BOAT)
    searching("index")
    [(kind, reason)] = searching.refused().values()
    assert kind == "ConfigError"
    assert "UTF-8" in reason


def test_a_file_that_takes_too_long_costs_its_reader_only(tmp_path: Path) -> None:
    """The next file is read by another process."""
    slow, good = tmp_path / "slow.txt", tmp_path / "good.txt"
    slow.write_text("some words here. " * 800_000)
    good.write_text(BOAT)

    async def both() -> None:
        async with crew_of(1, Limits(cpu_seconds=1, wall_seconds=30)) as crew:
            with pytest.raises(DocumentTooLarge, match=r"slow\.txt"):
                await crew.read(slow)
            assert (await crew.read(good)).text.chunks[0].parts[0].text == BOAT

    asyncio.run(both())


def test_a_reader_that_dies_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "good.txt"
    path.write_text(BOAT)

    async def killed() -> None:
        async with crew_of(1) as crew:
            await crew.read(path)
            _kill_readers(crew)
            with pytest.raises((DocumentCorrupt, DocumentTooLarge), match=r"good\.txt"):
                await crew.read(path)
            assert (await crew.read(path)).text.chunks

    asyncio.run(killed())


def _kill_readers(crew: Crew) -> None:
    for reader in crew._all:
        assert reader._process is not None
        reader._process.kill()


def test_what_one_may_not_read_is_counted_and_never_shown(searching: Searching) -> None:
    (searching.folder / "open.txt").write_text(BOAT)
    secret = searching.folder / "secret.txt"
    secret.write_text(SECRET)
    shut = searching.folder / "shut"
    shut.mkdir()
    (shut / "letter.txt").write_text(SECRET)
    secret.chmod(0)
    shut.chmod(0)
    try:
        said = _as_anybody("index")
        assert "1 read, 1 not read" in said
        assert f"may not be listed by you, so not indexed: {shut}" in said
        assert "that you may not read" in searching("folders")
        assert searching.hits("barometer") == []
        secret.chmod(0o600)
        assert "1 read" in _as_anybody("index")  # though neither its time nor its size changed
        assert "secret.txt" in _as_anybody("barometer")
        secret.chmod(0)
        assert "nothing found" in _as_anybody("barometer")  # what was read when it was allowed
        secret.chmod(0o600)
        searching.folder.chmod(0)
        assert "nothing found" in _as_anybody("barometer")
    finally:
        searching.folder.chmod(0o700)
        secret.chmod(0o600)
        shut.chmod(0o700)


def _as_anybody(*words: str) -> str:
    """The command by somebody whom permissions bind, as root they do not."""
    bound = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    command = [sys.executable, "-m", "archipel", "search", *words]
    done = subprocess.run(
        [*(bound if os.geteuid() == 0 else []), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return done.stdout
