"""Snapshots: files of fp32 vectors, compressed and in parts, below a manifest that is put last."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from archipel.errors import IntegrityError
from archipel.ledger.packed import pack, read_packed
from archipel.ledger.schema import SnapshotManifest
from archipel.ledger.signed import SignedObjects

PARAMETERS = "parameters"  # kinds of a snapshot's files; the fragment's number follows a dot
MOMENTUM = "momentum"


def manifest_key(number: int) -> str:
    """Where a snapshot's manifest lies."""
    return f"{folder(number)}/manifest.json"


def folder(number: int) -> str:
    """Where a snapshot lies."""
    return f"snapshots/{number:08d}"


@dataclass(frozen=True)
class Snapshot:
    """A snapshot to be put: `number` counts the commits that it includes, `facts` are its
    manifest's fields but for the list of files."""

    number: int
    files: Mapping[str, bytes | memoryview]
    facts: Mapping[str, object]


def put_snapshot(objects: SignedObjects, snapshot: Snapshot) -> None:
    """Put a snapshot's files and, last, its manifest; interrupted, the same call goes on."""
    where, listed = folder(snapshot.number), {}
    for name, data in snapshot.files.items():
        packed = pack(data)
        objects.put_parts(where, packed.payload, packed.file.parts)
        listed[name] = packed.file
    manifest = SnapshotManifest.model_validate({"files": listed, **snapshot.facts})
    objects.put_line(manifest_key(snapshot.number), manifest)


def read_file(
    objects: SignedObjects, number: int, manifest: SnapshotManifest, name: str, cache: Path | None
) -> bytes:
    """One file of a snapshot; what the folder `cache` has of it is not fetched again.

    Raises:
        IntegrityError: it is missing, truncated or altered.
    """
    where, file = folder(number), manifest.files[name]
    try:
        return read_packed(objects, where, name, file, cache)
    except IntegrityError as error:
        raise IntegrityError(
            f"{error}. Or delete the folder {where} to fall back on the snapshot before it"
        ) from error
