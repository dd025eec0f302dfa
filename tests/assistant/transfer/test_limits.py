"""Files that are too large, or say that they are small: refused before they cost memory."""

import io
import json
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from archipel.assistant.transfer.archive import contents
from archipel.assistant.transfer.elements import ELEMENT_BYTES, elements
from archipel.errors import NotImportable
from tests.assistant.transfer.exports import chatgpt, chatgpt_message, zipped

MEGABYTE = 1_000_000


def test_a_zip_that_unpacks_to_far_more_is_refused() -> None:
    data = zipped({"conversations.json": b" " * (70 << 20)})
    assert len(data) < MEGABYTE
    [(name, why)] = contents(io.BytesIO(data), "bomb.zip").refused
    assert (name, why.code) == ("conversations.json", "bomb")


def test_a_zip_that_lies_about_its_size_is_read_no_further_than_it_says() -> None:
    data = zipped({"conversations.json": b"[" + b" " * 5000 + b"]"})
    true, lie = struct.pack("<I", 5002), struct.pack("<I", 10)
    [part] = contents(io.BytesIO(data.replace(true, lie)), "lie.zip").parts
    with part.open() as file, pytest.raises(zipfile.BadZipFile):
        file.read()  # ten bytes, whose sum is not the one that the zip says


def test_files_that_are_too_large_together_are_refused() -> None:
    data = zipped({f"conversations-{i:03}.json": b"[]" + b" " * 600 for i in range(10)})
    with pytest.raises(NotImportable, match="in parts") as caught:
        contents(io.BytesIO(data), "much.zip", most=6000)
    assert caught.value.code == "too_large"


def test_a_zip_with_a_list_of_files_that_is_too_long_is_refused() -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("conversations.json", "[]")
        archive.filelist[0].comment = b"x" * 60_000  # each name brings as much
        archive.filelist *= 150
    with pytest.raises(NotImportable, match="too many files") as caught:
        contents(held, "long.zip")
    assert caught.value.code == "too_many_files"


def test_names_in_a_zip_are_never_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["../../conversations.json", "/etc/conversations.json", "a\x1b[31m/conversations.json"]
    found = contents(io.BytesIO(zipped({name: [] for name in names})), "x.zip")
    assert [part.name for part in found.parts] == [
        "../../conversations.json",
        "/etc/conversations.json",
        "a[31m/conversations.json",
    ]
    for part in found.parts:
        with part.open() as file:
            assert file.read() == b"[]"
    assert list(tmp_path.iterdir()) == []


def test_a_zip_in_a_zip_is_another_file() -> None:
    inner = zipped({"conversations.json": []})
    found = contents(io.BytesIO(zipped({"conversations.zip": inner})), "x.zip")
    assert (list(found.parts), found.others) == ([], 1)


def test_encrypted_and_unusual_files_are_refused_by_name() -> None:
    data = bytearray(zipped({"conversations.json": []}))
    place = data.index(b"PK\x01\x02") + 8
    data[place] |= 1
    [(_, why)] = contents(io.BytesIO(bytes(data)), "x.zip").refused
    assert why.code == "encrypted"
    lzma = zipped({"conversations.json": []}, zipfile.ZIP_LZMA)
    [(_, why)] = contents(io.BytesIO(lzma), "x.zip").refused
    assert why.code == "broken_zip"


def test_one_conversation_that_is_too_large_costs_only_itself() -> None:
    small = {"mapping": {}}
    large = json.dumps({"title": "The whole sea", "x": "y" * (ELEMENT_BYTES + 1)})
    many = json.dumps([{}] * 1_100_000)
    file = io.BytesIO(f"[{large},{json.dumps(small)},{many},{json.dumps(small)}]".encode())
    found = list(elements(file))
    assert found[1] == found[3] == small
    assert isinstance(found[0], NotImportable)
    assert isinstance(found[2], NotImportable)
    assert found[0].code == found[2].code == "too_large"
    assert "The whole sea" in str(found[0])


def test_elements_are_the_same_however_the_file_is_cut() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(3)

    told = [{"a": 'x\\"]}{[\\\\', "b": [1, [{"c": '\\"'}]]}, [], {"é🏝": "\ud800"}, {"d": "\\"}]
    for written in (json.dumps(told), json.dumps(told, indent=1), f"\ufeff{json.dumps(told)}"):
        assert list(elements(Slow(written.encode()))) == told
    lines = "\n".join(json.dumps({"n": n}) for n in range(3))
    assert list(elements(Slow(lines.encode()))) == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_a_file_of_100_megabytes_is_read_in_bounded_memory(tmp_path: Path) -> None:
    message = chatgpt_message("m", "user", "words and more words\n" * 5000)
    one = json.dumps(chatgpt("c", "T", message)).encode()
    path, count = tmp_path / "conversations.json", 100 * MEGABYTE // len(one)
    with path.open("wb") as file:
        file.write(b"[" + one)
        for _ in range(count - 1):
            file.write(b"," + one)
        file.write(b"]")
    tracemalloc.start()
    with path.open("rb") as file:
        assert sum(1 for _ in elements(file)) == count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * MEGABYTE
