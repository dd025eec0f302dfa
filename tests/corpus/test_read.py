"""Reading tokens: across shards, and never from a damaged file; the manifest's checks."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from archipel.corpus import Manifest, Shard, TokenReader, read_manifest
from archipel.errors import ConfigError, IntegrityError


@pytest.fixture
def copy(corpus: Path, tmp_path: Path) -> Path:
    return shutil.copytree(corpus, tmp_path / "copy")


def test_ranges_cross_shards(corpus: Path) -> None:
    manifest = read_manifest(corpus)
    reader = TokenReader(corpus, manifest, "train")
    paths = [corpus / shard.name for shard in manifest.splits["train"]]
    whole = np.concatenate([np.fromfile(path, "<u2") for path in paths])
    assert reader.tokens == manifest.tokens("train") == whole.size
    border = manifest.splits["train"][0].tokens
    for start, count in [(0, 10), (border - 3, 7), (border, 1), (5, whole.size - 5), (3, 0)]:
        found = reader.read(start, count)
        assert found.dtype == np.int64
        assert found.flags.writeable
        assert np.array_equal(found, whole[start : start + count])
    assert reader.read(whole.size, 0).size == 0


@pytest.mark.parametrize("damage", [lambda data: data[:-2], lambda data: b"x" + data[1:]])
def test_a_damaged_shard_is_refused(copy: Path, damage) -> None:
    path = copy / "train-00001.tokens"
    path.write_bytes(damage(path.read_bytes()))
    reader = TokenReader(copy, read_manifest(copy), "train")
    reader.read(0, 10)
    with pytest.raises(IntegrityError, match=r"train-00001\.tokens.*truncated or altered: delete"):
        reader.read(0, reader.tokens)


def test_a_missing_shard_is_fetched(corpus: Path, copy: Path) -> None:
    manifest = read_manifest(copy)
    (copy / "train-00000.tokens").unlink()
    with pytest.raises(IntegrityError, match="is missing"):
        TokenReader(copy, manifest, "train").read(0, 1)

    fetched: list[str] = []

    def fetch(shard: Shard, path: Path) -> None:
        fetched.append(shard.name)
        shutil.copy(corpus / shard.name, path)

    reader = TokenReader(copy, manifest, "train", fetch)
    assert np.array_equal(
        reader.read(0, reader.tokens),
        TokenReader(corpus, manifest, "train").read(0, reader.tokens),
    )
    assert fetched == ["train-00000.tokens"]


def test_the_manifest_is_what_its_file_says(corpus: Path) -> None:
    data = (corpus / "manifest.json").read_bytes()
    manifest = read_manifest(corpus)
    assert manifest.to_json() == data
    assert Manifest.from_json(data, "again") == manifest
    reordered = json.dumps(json.loads(data)).encode()
    assert Manifest.from_json(reordered, "again").digest == manifest.digest


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"dtype": "float32"},
        {"documents": -1},
        {"tokenizer": {}},
        {"unknown": 1},
        {"splits": {"train": [{"name": "../x.tokens", "tokens": 1, "sha256": "0" * 64}]}},
    ],
)
def test_an_altered_manifest_is_refused(copy: Path, change: dict[str, object]) -> None:
    path = copy / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(IntegrityError, match="build the corpus again"):
        read_manifest(copy)


def test_a_folder_without_a_corpus(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="archipel corpus build"):
        read_manifest(tmp_path)
