"""Objects under one URL: put, put if absent, get, list. A thin shell around obstore.

Knows nothing about what the objects mean. Safe to share between threads.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from archipel import config
from archipel.errors import ConfigError, StoreError
from archipel.store.pace import Link

_REMOTE_SCHEMES = ("s3", "az", "gs")


@dataclass(frozen=True)
class ObjectInfo:
    """What a store says of an object: its key, its size and when the store last saw it written."""

    key: str
    size_bytes: int
    modified: datetime


@dataclass(frozen=True)
class Object:
    """An object's bytes and when the store last saw it written."""

    data: bytes
    modified: datetime


class Objects(Protocol):
    """What the ledger needs of a store. All but the parts are small and urgent.

    Every method raises StoreError where the store can't be reached or refuses; all are safe to
    repeat and to call from several threads at once.
    """

    @property
    def url(self) -> str:
        """Where the objects are, for messages."""

    @property
    def bytes_out(self) -> int:
        """Bytes written so far."""

    @property
    def bytes_in(self) -> int:
        """Bytes read so far."""

    @property
    def link(self) -> Link:
        """The link to the store as measured up to now."""

    def put(self, key: str, data: bytes) -> None:
        """Write an object, over an older one if there is one."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write an object that must not exist yet; whether the object now holds `data`."""

    def get(self, key: str) -> bytes | None:
        """An object's bytes, or None where there is none."""

    def read(self, key: str) -> "Object | None":
        """An object's bytes with the store's time of writing, or None where there is none."""

    def list(self, prefix: str) -> "list[ObjectInfo]":
        """The objects whose keys lie below the folder `prefix`, sorted by key."""

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; one that is already gone is no error."""

    def put_part(self, key: str, data: bytes) -> None:
        """Write a piece of something large, when the link is free for it."""

    def get_part(self, key: str) -> bytes | None:
        """Read a piece of something large when the link is free for it, or None."""


class Store:
    """The objects under one URL, with the bytes that went out and came in counted."""

    def __init__(self, url: str) -> None:
        """Open `url`: `s3://…`, `az://…`, `gs://…`, `memory:///`, `file:///…` or a folder's path.

        Credentials and endpoints are the store's own: `AWS_*`, `AZURE_*`, `GOOGLE_*`.

        Raises:
            ConfigError: the URL is of another kind or lacks a bucket.
        """
        self.url = url
        self.bytes_out = 0
        self.bytes_in = 0
        self.link = Link()
        self._counting = threading.Lock()
        try:
            self._objects = _open(url)
        except (BaseError, ValueError, OSError) as error:
            raise ConfigError(f"can't open the store {url!r}: {_first_line(error)}") from error

    def put(self, key: str, data: bytes) -> None:
        """Write an object, over an older one if there is one.

        Raises:
            StoreError: the store can't be reached or refuses.
        """
        with self._errors("write", key):
            obstore.put(self._objects, key, data)
        self._count(out=len(data))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write an object that must not exist yet; whether the object now holds `data`.

        A reply that was lost and tried again finds its own bytes, and counts as written: so `data`
        must differ between writers that compete.

        Raises:
            StoreError: the store can't be reached or refuses.
        """
        with self._errors("write", key):
            try:
                obstore.put(self._objects, key, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return self.get(key) == data
        self._count(out=len(data))
        return True

    def get(self, key: str) -> bytes | None:
        """An object's bytes, or None where there is none.

        Raises:
            StoreError: the store can't be reached or refuses.
        """
        found = self.read(key)
        return None if found is None else found.data

    def read(self, key: str) -> Object | None:
        """An object's bytes with the store's time of writing, or None where there is none.

        Raises:
            StoreError: the store can't be reached or refuses.
        """
        with self._errors("read", key):
            try:
                found = obstore.get(self._objects, key)
                data = bytes(found.bytes())
            except FileNotFoundError:
                return None
        self._count(in_=len(data))
        return Object(data, found.meta["last_modified"])

    def list(self, prefix: str) -> list[ObjectInfo]:
        """The objects whose keys lie below the folder `prefix`, sorted by key.

        Raises:
            StoreError: the store can't be reached or refuses.
        """
        with self._errors("list", prefix):
            found = [
                ObjectInfo(meta["path"], meta["size"], meta["last_modified"])
                for page in obstore.list(self._objects, prefix)
                for meta in page
            ]
        return sorted(found, key=lambda info: info.key)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; one that is already gone is no error.

        Raises:
            StoreError: the store can't be reached or refuses.
        """
        for key in keys:
            with self._errors("delete", key):
                try:
                    obstore.delete(self._objects, key)
                except FileNotFoundError:
                    continue

    def put_part(self, key: str, data: bytes) -> None:
        """Write a piece of something large, over an older one if there is one.

        Raises:
            StoreError: the store can't be reached or refuses; try again later.
        """
        self.put(key, data)

    def get_part(self, key: str) -> bytes | None:
        """Read a piece of something large, or None where there is none.

        Raises:
            StoreError: the store can't be reached or refuses; try again later.
        """
        return self.get(key)

    def _count(self, *, out: int = 0, in_: int = 0) -> None:
        with self._counting:
            self.bytes_out += out
            self.bytes_in += in_

    @contextmanager
    def _errors(self, verb: str, key: str) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError) as error:
            raise StoreError(
                f"can't {verb} {key!r} in {self.url}: {_first_line(error)} "
                "Check that the store is up, has room and that its credentials allow this."
            ) from error


def _open(url: str) -> ObjectStore:
    parts = urlsplit(url)
    if parts.scheme in ("", "file"):
        folder = Path(unquote(parts.path) if parts.scheme else url).expanduser().resolve()
        return LocalStore(prefix=folder, mkdir=True)
    if parts.scheme == "memory":
        return from_url(url)
    if parts.scheme in _REMOTE_SCHEMES:
        return from_url(
            url,
            retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=30)},
            client_options={
                "connect_timeout": timedelta(seconds=5),
                "timeout": timedelta(minutes=5),
                "allow_http": config.store_allows_http(),
            },
        )
    raise ConfigError(
        f"{url!r} is not a store: use s3://, az://, gs://, file:/// or the path of a folder"
    )


def _first_line(error: Exception) -> str:
    return str(error).split("\n\n")[0].rstrip(".") + "."
