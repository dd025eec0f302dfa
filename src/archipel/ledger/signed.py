"""A run's signed objects in its store: put with a signature, read only with a good one.

Knows nothing about what they mean, only that each says who it is by.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from archipel.errors import IntegrityError
from archipel.ledger.frame import Frame, pack, pack_line, pack_parts, unpack, unpack_line
from archipel.ledger.keys import Seal
from archipel.ledger.parts import INLINE_BYTES, Parts, digests_of, part_bytes
from archipel.ledger.schema import Record
from archipel.store import Objects

T = TypeVar("T", bound=Record)


class SignedObjects:
    """The objects below one key prefix. Keys are given without it, and named with it in errors."""

    def __init__(self, store: Objects, seal: Seal, prefix: str) -> None:
        self._store = store
        self._seal = seal
        self._prefix = prefix
        self._parts = Parts(store)

    def names(self, folder: str) -> list[str]:
        """What lies below a folder, without its name, sorted; a LIST."""
        path = (self._prefix + folder).rstrip("/")
        return [info.key[len(path) + 1 :] for info in self._store.list(path)]

    def delete(self, keys: list[str]) -> None:
        """Delete objects; one that is already gone is no error."""
        self._store.delete([self._prefix + key for key in keys])

    # What is short: a line of JSON

    def put_line(self, key: str, record: Record) -> None:
        """Put a record, over an older one if there is one."""
        self._store.put(self._prefix + key, self._line(key, record))

    def put_line_if_absent(self, key: str, record: Record) -> bool:
        """Put a record that must not exist yet; whether the object is now this one."""
        return self._store.put_if_absent(self._prefix + key, self._line(key, record))

    def line(self, key: str, kind: type[T]) -> tuple[T, str] | None:
        """A record and who signed it, or None.

        Raises:
            IntegrityError: it is truncated, altered, or not by who it says, or not in its place.
        """
        data = self._store.get(self._prefix + key)
        return None if data is None else self.parse_line(key, data, kind)

    def parse_line(self, key: str, data: bytes, kind: type[T]) -> tuple[T, str]:
        """The record in the bytes of the object `key`, and who signed it.

        Raises:
            IntegrityError: it is truncated, altered, or not by who it says, or not in its place.
        """
        line, signer = unpack_line(data, self._prefix + key, self._seal)
        return kind.parse(line, self._prefix + key), signer

    def _line(self, key: str, record: Record) -> bytes:
        return pack_line(record.to_json(), self._prefix + key, self._seal)

    # What is long: a frame, and parts beside it

    def put_frame(self, key: str, header: Record, payload: bytes) -> bool:
        """Put a frame that must not exist yet, its payload's parts first; whether it is now this
        one."""
        path = self._prefix + key
        if len(payload) <= INLINE_BYTES:
            frame = pack(header.to_json(), payload, path, self._seal)
        else:
            digests = digests_of(payload)
            self._parts.put(_parts_folder(path), payload, digests)
            lengths = (part_bytes(len(payload)), len(payload))
            frame = pack_parts(header.to_json(), digests, lengths, path, self._seal)
        return self._store.put_if_absent(path, frame)

    def frame(self, key: str, kind: type[T]) -> tuple[T, Frame] | None:
        """The header of a frame and the frame itself, or None.

        Raises:
            IntegrityError: it is truncated, altered, or not by who it says, or not in its place.
        """
        path = self._prefix + key
        found = self._store.read(path)
        if found is None:
            return None
        frame = unpack(found.data, path, self._seal)
        frame = replace(frame, put_at=found.modified.timestamp())
        return kind.parse(frame.header, path), frame

    def payload(self, key: str, frame: Frame) -> memoryview:
        """The payload of the frame `key`, fetched where it lies in parts.

        Raises:
            IntegrityError: a part is missing, truncated or altered.
        """
        if not frame.part_bytes:
            return frame.body
        folder = _parts_folder(self._prefix + key)
        return memoryview(self._parts.get(folder, frame.digests, frame.payload_bytes))

    # Bare parts

    def put_parts(self, folder: str, payload: bytes, digests: Sequence[str]) -> None:
        """Put a payload in parts, of these digests, below `folder`/parts."""
        self._parts.put(f"{self._prefix}{folder}/parts", payload, digests)

    def get_parts(
        self, folder: str, digests: tuple[str, ...], payload_bytes: int, cache: Path | None
    ) -> bytes:
        """A payload from its parts below `folder`/parts, or in the folder `cache`.

        Raises:
            IntegrityError: a part is missing, truncated or altered.
        """
        return self._parts.get(f"{self._prefix}{folder}/parts", digests, payload_bytes, cache)


def check_name(key: str, *names: str) -> None:
    """Make sure that an object's place, contents and signature name the same site.

    Raises:
        IntegrityError: they don't.
    """
    if len(set(names)) > 1:
        raise IntegrityError(f"{key} names different sites: {', '.join(sorted(set(names)))}")


def _parts_folder(path: str) -> str:
    return path.rpartition("/")[0] + "/parts"
