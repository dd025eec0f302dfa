"""Large payloads in parts, each named by its SHA-256: what is there is not sent or fetched again.

So a transfer that broke off goes on where it was. Knows nothing about what the payloads are.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from archipel.errors import ConfigError, IntegrityError, StoreError
from archipel.files import sha256_bytes, write_atomic
from archipel.store import Objects

log = logging.getLogger(__name__)

INLINE_BYTES = 252 << 10  # shorter payloads travel in their frame
PART_BYTES = 512 << 10
MOST_PART_BYTES = 32 << 20
_PARTS = 64  # about as many, before parts grow
_REMEMBERED_BYTES = 256 << 20  # of payloads whose fetching broke off


def part_bytes(payload_bytes: int) -> int:
    """The length of the parts of a payload."""
    return min(MOST_PART_BYTES, max(PART_BYTES, -(-payload_bytes // _PARTS)))


def digests_of(payload: bytes | memoryview) -> list[str]:
    """The SHA-256 of each part of a payload."""
    return [sha256_bytes(part) for part in _cut(payload)]


class Parts:
    """Parts in a store. Safe to share between threads."""

    def __init__(self, store: Objects) -> None:
        self._store = store
        self._fetched: OrderedDict[str, bytes] = OrderedDict()
        self._fetched_bytes = 0
        self._lock = threading.Lock()

    def put(self, folder: str, payload: bytes | memoryview, digests: Sequence[str]) -> None:
        """Put a payload's parts, of these digests, below `folder`, but for those already there.

        Raises:
            StoreError: the store can't be reached; called again, it goes on from here.
        """
        parts = _cut(payload)
        there: dict[str, int] = {}
        if len(parts) > 1:
            there = {info.key: info.size_bytes for info in self._store.list(folder)}
        for part, digest in zip(parts, digests, strict=True):
            key = f"{folder}/{digest}"
            if there.get(key) != len(part):
                self._store.put_part(key, bytes(part))
                there[key] = len(part)

    def get(
        self, folder: str, digests: Sequence[str], payload_bytes: int, cache: Path | None = None
    ) -> bytes:
        """A payload from its parts, those already fetched from memory or from the folder `cache`.

        Raises:
            IntegrityError: a part is missing, truncated or altered.
            StoreError: the store can't be reached; called again, it goes on from here.
        """
        found: dict[str, bytes] = {}
        try:
            for digest in digests:
                if digest not in found:
                    found[digest] = self._get(folder, digest, cache)
        except StoreError:
            if cache is None:
                self._remember(found)
            raise
        payload = b"".join(found[digest] for digest in digests)
        if len(payload) != payload_bytes:
            raise IntegrityError(
                f"the parts below {folder} make {len(payload)} bytes instead of {payload_bytes}"
            )
        return payload

    def _get(self, folder: str, digest: str, cache: Path | None) -> bytes:
        known = _read(cache / digest) if cache else self._recall(digest)
        if known is not None and sha256_bytes(known) == digest:
            return known
        key = f"{folder}/{digest}"
        data = self._store.get_part(key)
        if data is None:
            raise IntegrityError(f"{key} is missing: restore it from the store's versions")
        if sha256_bytes(data) != digest:
            raise IntegrityError(
                f"{key} is truncated or altered: restore it from the store's versions"
            )
        if cache:
            _write(cache / digest, data)
        return data

    def _remember(self, found: dict[str, bytes]) -> None:
        with self._lock:
            for digest, data in found.items():
                if digest not in self._fetched:
                    self._fetched[digest] = data
                    self._fetched_bytes += len(data)
            while self._fetched_bytes > _REMEMBERED_BYTES:
                _, data = self._fetched.popitem(last=False)
                self._fetched_bytes -= len(data)

    def _recall(self, digest: str) -> bytes | None:
        with self._lock:
            data = self._fetched.pop(digest, None)
            if data is not None:
                self._fetched_bytes -= len(data)
            return data


def _cut(payload: bytes | memoryview) -> list[memoryview]:
    length, view = part_bytes(len(payload)), memoryview(payload)
    return [view[start : start + length] for start in range(0, len(view), length)]


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None  # fetched again


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomic(path, data)
    except ConfigError as error:
        log.warning("%s What breaks off is fetched again from its start.", error)
