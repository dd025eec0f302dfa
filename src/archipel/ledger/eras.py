"""Eras: where the run's owner has rolled it back, its record goes on under a prefix of its own.

Era 0 is the run's beginning. An era counts from the moment that `eras/<n>.json` exists, signed by
the owner; what was put under the one before it, after the rounds that it names, no longer does.
"""

import logging

from archipel.errors import IntegrityError
from archipel.ledger.keys import OWNER
from archipel.ledger.schema import Era
from archipel.ledger.signed import SignedObjects
from archipel.ledger.snapshots import Snapshot, put_snapshot

log = logging.getLogger(__name__)


def prefix(era: Era | None) -> str:
    """The prefix of an era's objects."""
    return f"eras/{era.number:04d}/" if era else ""


def read_era(root: SignedObjects, number: int) -> Era | None:
    """An era's record, or None; what its owner did not sign is none.

    Raises:
        StoreError: the store can't be read.
    """
    key = _key(number)
    try:
        found = root.line(key, Era)
        if found is None:
            return None
        era, signer = found
        if signer != OWNER or era.number != number:
            raise IntegrityError(f"{key} is era {era.number}, signed by {signer}")
    except IntegrityError as error:
        log.warning("what lies where the run's next era would be does not count: %s", error)
        return None
    return era


def read_eras(root: SignedObjects) -> list[Era]:
    """All eras after the first, in order."""
    eras: list[Era] = []
    while era := read_era(root, len(eras) + 1):
        eras.append(era)
    return eras


def begin(root: SignedObjects, objects: SignedObjects, era: Era, first: Snapshot) -> bool:
    """Begin an era: put its first snapshot and then, which makes it count, its record.

    What an interrupted attempt left below its prefix is deleted first. False where another era has
    begun under this number.

    Raises:
        StoreError: the store can't be read or written; call again, nothing has happened.
    """
    if read_era(root, era.number):
        return False
    objects.delete(objects.names(""))
    put_snapshot(objects, first)
    return root.put_line_if_absent(_key(era.number), era)


def _key(number: int) -> str:
    return f"eras/{number:04d}.json"
