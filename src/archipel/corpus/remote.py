"""A corpus in object storage, below the key prefix `corpus/`: upload once, fetch shard by shard.

What comes from the store is checked by digest before it gets its name on this disk.
"""

from pathlib import Path

from archipel.corpus.manifest import MANIFEST, Manifest, Shard, read_manifest
from archipel.corpus.read import Fetch
from archipel.errors import ConfigError, IntegrityError
from archipel.files import sha256_bytes, write_atomic
from archipel.store import Objects

_PREFIX = "corpus"


def upload_corpus(store: Objects, folder: Path) -> Manifest:
    """Bring the corpus in `folder` to the store, its manifest last; what is there is left alone.

    Raises:
        ConfigError: the folder holds no finished corpus, or the store holds another one.
        IntegrityError: a file is not what the manifest says.
        StoreError: the store can't be reached or written.
    """
    manifest = read_manifest(folder)
    if store.get(f"{_PREFIX}/{MANIFEST}") == manifest.to_json():
        return manifest
    shards = {shard.name: shard.sha256 for split in manifest.splits.values() for shard in split}
    for name, digest in (manifest.files | shards).items():
        try:
            data = (folder / name).read_bytes()
        except OSError as error:
            raise IntegrityError(
                f"{folder / name} can't be read: {error.strerror}. Build the corpus again."
            ) from error
        _put(store, name, _checked(data, digest, str(folder / name)))
    _put(store, MANIFEST, manifest.to_json())
    return manifest


def open_remote(store: Objects, cache: Path, digest: str) -> tuple[Manifest, Path]:
    """The manifest of the store's corpus and its folder below `cache`, with the tokenizer in it
    and, where there is one, the code of pictures.

    The shards come later, one by one: give `fetch_from(store)` to a `TokenReader`.

    Raises:
        IntegrityError: the store's corpus is not the one with this digest, or is damaged.
        StoreError: the store can't be reached.
    """
    folder = cache / digest
    if (folder / MANIFEST).exists():
        manifest = read_manifest(folder)
        if manifest.digest == digest:
            return manifest, folder
    data = _get(store, MANIFEST)
    manifest = Manifest.from_json(_checked(data, digest, f"{store.url}: {MANIFEST}"), store.url)
    for name, file_digest in manifest.files.items():
        found = _checked(_get(store, name), file_digest, f"{store.url}: {name}")
        write_atomic(folder / name, found)
    write_atomic(folder / MANIFEST, data)
    return manifest, folder


def fetch_from(store: Objects) -> Fetch:
    """What brings a missing shard from `store` to a `TokenReader`."""

    def fetch(shard: Shard, path: Path) -> None:
        data = _get(store, shard.name)
        write_atomic(path, _checked(data, shard.sha256, f"{store.url}: {shard.name}"))

    return fetch


def _put(store: Objects, name: str, data: bytes) -> None:
    key = f"{_PREFIX}/{name}"
    held = store.get_part(key)
    if held is None:
        store.put_part(key, data)
    elif held != data:
        raise ConfigError(
            f"{store.url} already holds another corpus: {key} differs. Use another URL."
        )


def _get(store: Objects, name: str) -> bytes:
    data = store.get_part(f"{_PREFIX}/{name}")
    if data is None:
        raise IntegrityError(
            f"{store.url} holds no {_PREFIX}/{name}. Upload the corpus to this URL again."
        )
    return data


def _checked(data: bytes, digest: str, what: str) -> bytes:
    if sha256_bytes(data) != digest:
        raise IntegrityError(
            f"{what} is not the file that was named: its SHA-256 is not {digest}. "
            "It was truncated or altered: restore it, or upload the corpus again."
        )
    return data
