"""A corpus through a store: uploaded once, fetched by shard, never damaged."""

from pathlib import Path

import numpy as np
import pytest

from archipel.corpus import (
    BuildOptions,
    TokenReader,
    build_corpus,
    fetch_from,
    open_remote,
    read_manifest,
    upload_corpus,
)
from archipel.errors import ConfigError, IntegrityError
from archipel.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def test_what_was_uploaded_is_read(corpus: Path, store: Store, tmp_path: Path) -> None:
    manifest = upload_corpus(store, corpus)
    found, folder = open_remote(store, tmp_path / "cache", manifest.digest)
    assert found == manifest
    assert folder == tmp_path / "cache" / manifest.digest
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "tokenizer"]
    for split in ("train", "held_out"):
        remote = TokenReader(folder, found, split, fetch_from(store))
        local = TokenReader(corpus, manifest, split)
        assert np.array_equal(remote.read(0, remote.tokens), local.read(0, local.tokens))


def test_an_upload_goes_on_and_is_not_repeated(corpus: Path, store: Store) -> None:
    upload_corpus(store, corpus)
    store.delete(["corpus/manifest.json", "corpus/train-00001.tokens"])
    missing = (corpus / "manifest.json", corpus / "train-00001.tokens")
    before = store.bytes_out
    upload_corpus(store, corpus)
    upload_corpus(store, corpus)
    assert store.bytes_out - before == sum(path.stat().st_size for path in missing)


def test_another_corpus_does_not_overwrite(corpus: Path, store: Store, tmp_path: Path) -> None:
    manifest = upload_corpus(store, corpus)
    (tmp_path / "a.txt").write_text("some other text")
    build_corpus([tmp_path / "a.txt"], tmp_path / "other", BuildOptions(held_out=0))
    with pytest.raises(ConfigError, match="already holds another corpus"):
        upload_corpus(store, tmp_path / "other")
    assert open_remote(store, tmp_path / "cache", manifest.digest)[0] == manifest
    with pytest.raises(IntegrityError, match="SHA-256"):
        open_remote(store, tmp_path / "cache", read_manifest(tmp_path / "other").digest)


@pytest.mark.parametrize("name", ["manifest.json", "tokenizer/tokenizer.json"])
def test_a_damaged_object_is_not_cached(
    corpus: Path, store: Store, tmp_path: Path, name: str
) -> None:
    manifest = upload_corpus(store, corpus)
    good = store.get(f"corpus/{name}")
    assert good is not None
    store.put(f"corpus/{name}", good[:-1])
    with pytest.raises(IntegrityError, match="truncated or altered"):
        open_remote(store, tmp_path / "cache", manifest.digest)
    assert not (tmp_path / "cache" / manifest.digest / name).exists()
    store.put(f"corpus/{name}", good)
    assert open_remote(store, tmp_path / "cache", manifest.digest)[0] == manifest


def test_a_damaged_or_missing_shard_is_not_cached(
    corpus: Path, store: Store, tmp_path: Path
) -> None:
    manifest = upload_corpus(store, corpus)
    _, folder = open_remote(store, tmp_path / "cache", manifest.digest)
    reader = TokenReader(folder, manifest, "train", fetch_from(store))
    store.put("corpus/train-00000.tokens", b"\0" * 10)
    with pytest.raises(IntegrityError, match="truncated or altered"):
        reader.read(0, 1)
    store.delete(["corpus/train-00000.tokens"])
    with pytest.raises(IntegrityError, match=r"holds no corpus/train-00000\.tokens"):
        reader.read(0, 1)
    assert not list(folder.glob("*train-00000*"))


def test_a_damaged_corpus_is_not_uploaded(texts: Path, store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    build_corpus([texts], folder, BuildOptions(vocab_size=512))
    (folder / "train-00000.tokens").write_bytes(b"\0")
    with pytest.raises(IntegrityError, match="truncated or altered"):
        upload_corpus(store, folder)
    assert store.get("corpus/manifest.json") is None
