"""Reading documents: every kind, every compression, and what is wrong with a file."""

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import zstandard

from archipel.corpus.documents import find_files, read_documents
from archipel.errors import ConfigError

TEXTS = ["first\r\n", "zweiter, größer", "third\nof three"]
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    # Two frames, as parallel compressors write them.
    ".zst": lambda data: b"".join(map(zstandard.compress, (data[:10], data[10:]))),
}


def texts_of(path: Path) -> list[str | None]:
    return [document.text for document in read_documents(path, "text")]


def as_parquet(path: Path) -> bytes:
    parquet.write_table(pa.table({"text": TEXTS, "n": [1, 2, 3]}), path, row_group_size=2)
    return path.read_bytes()


@pytest.mark.parametrize("suffix", COMPRESS)
def test_every_kind_in_every_compression(tmp_path: Path, suffix: str) -> None:
    lines = "\n".join(json.dumps({"text": text, "n": 1}) for text in TEXTS)
    contents = {
        ".txt": TEXTS[1].encode(),
        ".md": TEXTS[1].encode("utf-8-sig"),
        ".py": TEXTS[1].encode(),
        ".jsonl": lines.encode(),
        ".parquet": as_parquet(tmp_path / "plain.parquet"),
    }
    for kind, content in contents.items():
        path = tmp_path / f"a{kind}{suffix}"
        path.write_bytes(COMPRESS[suffix](content))
        found = list(read_documents(path, "text"))
        records = kind in (".jsonl", ".parquet")
        assert [document.text for document in found] == (TEXTS if records else [TEXTS[1]])
        assert found[-1].end_bytes == path.stat().st_size


@pytest.mark.parametrize("suffix", [suffix for suffix in COMPRESS if suffix])
def test_a_truncated_file_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(COMPRESS[suffix](bytes(range(100)) * 50)[:-9])
    with pytest.raises(
        ConfigError, match=rf"can't read .*a\.txt{suffix}: .* unreadable or damaged"
    ):
        texts_of(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"body": "", "id": 1}', "line 2, has no field 'text'; it has: body, id."),
        ("[1]", "line 2, has no field 'text'; it has: none."),
        ('{"text": 3}', "line 2: the field holds int, not text."),
        ('{"text": "a', "line 2, is not JSON"),
    ],
)
def test_a_bad_record_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "good"}\n' + line)
    with pytest.raises(ConfigError, match=message):
        texts_of(path)


def test_parquet_without_the_field_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    content = as_parquet(path)
    with pytest.raises(ConfigError, match=r"a\.parquet has no field 'body'; it has: text, n\."):
        list(read_documents(path, "body"))
    path.write_bytes(content[:-20])
    with pytest.raises(ConfigError, match="unreadable or damaged"):
        texts_of(path)


@pytest.mark.parametrize("name", ["missing.txt", "picture.png", "nothing"])
def test_inputs_that_hold_no_text(tmp_path: Path, name: str) -> None:
    (tmp_path / "picture.png").write_bytes(b"x")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ConfigError, match=r"does not exist|not of a known kind|no text file"):
        find_files([tmp_path / name])
