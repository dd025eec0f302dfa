"""Objects under one URL: put, put if absent, get, list. A thin shell around obstore.

Knows nothing about what the objects mean. Safe to share between threads.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

from archipel.errors import ConfigError, StoreError
from archipel.store.clients import Clients
from archipel.store.pace import MEASURED_BYTES, Lane, Link
from archipel.store.traffic import Traffic

# What `put` and `put_if_absent` write that is larger goes like a part.
_SMALL_BYTES = 256 << 10


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
    """The objects under one URL, with the bytes that went out and came in counted.

    Small operations go at once. Parts, and whatever is written that is as large, wait until the
    link has room for them (`pace.py`) and small operations have ended (`traffic.py`).
    """

    def __init__(
        self,
        url: str,
        *,
        up_limit: float = 0.0,
        down_limit: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open `url`: `s3://…`, `az://…`, `gs://…`, `memory:///`, `file:///…` or a folder's path.

        Credentials and endpoints are the store's own: `AWS_*`, `AZURE_*`, `GOOGLE_*`. The first
        write makes a folder that isn't there. The limits cap what parts take on average, in bytes
        per second; 0.0 is no limit.

        Raises:
            ConfigError: the URL is of another kind or lacks a bucket, or a limit is below 0.
        """
        if min(up_limit, down_limit) < 0:
            raise ConfigError(f"limits of {up_limit} and {down_limit} bytes/s: use 0 for none")
        self.url = url
        self.bytes_out = 0
        self.bytes_in = 0
        self._counting = threading.Lock()
        self._traffic = Traffic(clock, Lane(up_limit), Lane(down_limit))
        try:
            self._clients = Clients(url)
        except (BaseError, ValueError, OSError) as error:
            raise ConfigError(f"can't open the store {url!r}: {_first_line(error)}") from error

    @property
    def link(self) -> Link:
        """The link to the store as measured up to now."""
        return self._traffic.link

    def put(self, key: str, data: bytes) -> None:
        """Write an object, over an older one if there is one.

        Raises:
            StoreError: the store can't be reached or refuses.
        """
        with self._errors("write", key):
            self._write(key, data, "overwrite")

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write an object that must not exist yet; whether the object now holds `data`.

        A reply that was lost and tried again finds its own bytes, and counts as written: so `data`
        must differ between writers that compete.

        Raises:
            StoreError: the store can't be reached or refuses.
        """
        with self._errors("write", key):
            try:
                self._write(key, data, "create")
            except (AlreadyExistsError, PreconditionError) as error:
                held = self.get(key)
                if held is None:  # S3 may answer so while another write or delete is under way
                    raise StoreError(
                        f"can't write {key!r} in {self.url}: another write of it is under way. "
                        "Try again."
                    ) from error
                return held == data
        return True

    def put_part(self, key: str, data: bytes) -> None:
        """Write a piece of something large, over an older one if there is one.

        It waits until the link has room and no small operation is under way. A few megabytes at
        most: a small operation may come while it moves, and one that fails is sent again whole.

        Raises:
            StoreError: the store can't be reached or refuses; try again later.
        """
        with self._errors("write", key):
            self._write_part(key, data, "overwrite")

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
        with self._errors("read", key), self._traffic.small(self._traffic.down) as moved:
            try:
                found = obstore.get(self._clients.small(), key)
                data = bytes(found.bytes())
            except FileNotFoundError:
                return None
            moved.size_bytes = len(data)
        self._count(in_=len(data))
        return Object(data, found.meta["last_modified"])

    def get_part(self, key: str) -> bytes | None:
        """Read a piece of something large, or None where there is none. Waits like `put_part`.

        Raises:
            StoreError: the store can't be reached or refuses; try again later.
        """
        with self._errors("read", key), self._traffic.part(self._traffic.down) as moved:
            try:
                data = bytes(obstore.get(self._clients.download(), key).bytes())
            except FileNotFoundError:
                return None
            moved.size_bytes = len(data)
        self._count(in_=len(data))
        return data

    def list(self, prefix: str) -> list[ObjectInfo]:
        """The objects whose keys lie below the folder `prefix`, sorted by key.

        Raises:
            StoreError: the store can't be reached or refuses.
        """
        with self._errors("list", prefix), self._traffic.small():
            try:
                found = [
                    ObjectInfo(meta["path"], meta["size"], meta["last_modified"])
                    for page in obstore.list(self._clients.small(), prefix)
                    for meta in page
                ]
            except FileNotFoundError:
                return []
        return sorted(found, key=lambda info: info.key)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; one that is already gone is no error.

        Raises:
            StoreError: the store can't be reached or refuses.
        """
        named = list(keys)
        if not named:
            return
        with self._errors("delete", named[0]), self._traffic.small():
            try:
                obstore.delete(self._clients.small(), named)
            except FileNotFoundError:  # ends the batch on some stores
                for key in named:
                    with suppress(FileNotFoundError):
                        obstore.delete(self._clients.small(), key)

    def _write(self, key: str, data: bytes, mode: Literal["create", "overwrite"]) -> None:
        if len(data) > _SMALL_BYTES:
            self._write_part(key, data, mode)
            return
        lane = self._traffic.up if len(data) >= MEASURED_BYTES else None
        with self._traffic.small(lane) as moved:
            client = self._clients.small(write=True)
            obstore.put(client, key, data, mode=mode, use_multipart=False)
            moved.size_bytes = len(data)
        self._count(out=len(data))

    def _write_part(self, key: str, data: bytes, mode: Literal["create", "overwrite"]) -> None:

        with self._traffic.part(self._traffic.up) as moved:
            client = self._clients.upload(len(data))
            obstore.put(client, key, data, mode=mode, use_multipart=False)
            moved.size_bytes = len(data)
        self._count(out=len(data))

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


def _first_line(error: Exception) -> str:
    return str(error).split("\n\n")[0].rstrip(".") + "."
