"""Files of fp32 values, compressed and in parts: what a snapshot is made of, and a run's base."""

from dataclasses import dataclass, field
from pathlib import Path

from archipel.errors import IntegrityError
from archipel.files import sha256_bytes
from archipel.ledger.parts import digests_of
from archipel.ledger.planes import compress, expand
from archipel.ledger.schema import PackedFile
from archipel.ledger.signed import SignedObjects


@dataclass(frozen=True)
class Packed:
    """A file, ready to be put."""

    file: PackedFile
    payload: bytes = field(repr=False)


def pack(data: bytes | memoryview) -> Packed:
    """A file's bytes, compressed, and what is to be said of them."""
    payload = compress(data)
    file = PackedFile(
        size_bytes=len(data),
        sha256=sha256_bytes(data),
        packed_bytes=len(payload),
        parts=tuple(digests_of(payload)),
    )
    return Packed(file, payload)


def read_packed(
    objects: SignedObjects, where: str, name: str, file: PackedFile, cache: Path | None
) -> bytes:
    """The file `name` whose parts lie below `where`; what the folder `cache` has of them is not
    fetched again.

    Raises:
        IntegrityError: it is missing, truncated or altered.
    """
    payload = objects.get_parts(where, file.parts, file.packed_bytes, cache)
    data = expand(payload, f"{where}: {name}")
    if len(data) != file.size_bytes or sha256_bytes(data) != file.sha256:
        raise IntegrityError(f"{where}: {name} does not match its digest")
    return data
