"""The run's objects by name: put and get of signed, checked records. Thin I/O, no decisions.

run.json · members/<site>.json · eras/<era>.json · base/parts/<digest>
sites/<site>.json · claims/<epoch>/<unit>.<generation>
rounds/<round>/<site>.delta · rounds/<round>/commit · rounds/<round>/parts/<digest>
snapshots/<n>/manifest.json · snapshots/<n>/parts/<digest> · metrics/<site>/<session>-<n>.jsonl

After a rollback all but the first line lie below eras/<era>/.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from archipel.errors import IntegrityError, RunError
from archipel.files import sha256_bytes
from archipel.ledger import eras, snapshots
from archipel.ledger.duty import Sighting
from archipel.ledger.frame import Frame
from archipel.ledger.keys import Keys, Seal, public_key
from archipel.ledger.members import MemberKeys
from archipel.ledger.packed import Packed, read_packed
from archipel.ledger.parts import INLINE_BYTES
from archipel.ledger.schema import (
    Claim,
    Commit,
    Contribution,
    Era,
    Heartbeat,
    PackedFile,
    RunSpec,
    SnapshotManifest,
)
from archipel.ledger.signed import SignedObjects, check_name
from archipel.ledger.snapshots import Snapshot
from archipel.store import Objects

_BASE = "base"
_CLAIM = re.compile(r"(\d{5,})/(\d{8,})\.(\d+)")
_ROUND = re.compile(r"(\d{8,})/(?:commit|([^/]+)\.delta)")
_MANIFEST = re.compile(r"(\d{8,})/manifest\.json")
_METRICS = re.compile(r"(\d{4,})-(\d{6,})\.jsonl")


class Ledger:
    """One run's record under one URL, as one process reads and signs it. Made by the class methods.

    Whatever is read is checked: an object that its signer did not put under this very name, or
    whose signer may not take part, raises IntegrityError.
    """

    def __init__(self, store: Objects, spec: RunSpec, seal: Seal, era: Era | None = None) -> None:
        self.store = store
        self.spec = spec
        self.seal = seal
        self.era = era
        self._root = SignedObjects(store, replace(seal, without=()), "")
        self._prefix = eras.prefix(era)
        self._objects = SignedObjects(store, seal, self._prefix)

    @classmethod
    def create(cls, store: Objects, spec: RunSpec, keys: Keys) -> "Ledger":
        """Put `run.json`; the same spec again changes nothing. `keys` are the owner's.

        Raises:
            RunError: another run has this URL.
            StoreError: the store can't be written.
        """
        data = spec.to_json()
        if not store.put_if_absent("run.json", data):
            raise RunError(
                f"{store.url} already holds a run with another spec: take a new URL, "
                "or join that run with `archipel site join`"
            )
        return cls(store, spec, Seal(sha256_bytes(data), keys))

    @classmethod
    def open(cls, store: Objects, keys: Keys | None = None) -> "Ledger":
        """Open an existing run in its newest era; without `keys` to read only, checked by its
        members' keys.

        Raises:
            RunError: there is no run, or it is of another format version.
            StoreError: the store can't be read.
        """
        spec, run = read_spec(store)
        return cls(store, spec, Seal(run, keys or MemberKeys(store, run, spec.owner))).newest()

    @classmethod
    def open_as(cls, store: Objects, name: str, private: str) -> "Ledger":
        """Open an existing run in its newest era, as a member with its private key or as its
        owner.

        Raises:
            RunError: there is no run, it doesn't know this name with this key, or its owner has
                excluded it.
            StoreError: the store can't be read.
        """
        spec, run = read_spec(store)
        keys = MemberKeys(store, run, spec.owner, (name, private))
        if keys.public(name) != public_key(private):
            raise RunError(
                f"the run at {store.url} does not know {name!r} by this key: ask its owner for "
                f"`archipel run invite {store.url} --name NAME`, with a name of your own"
            )
        return cls(store, spec, Seal(run, keys)).newest()

    @property
    def run(self) -> str:
        """The digest of `run.json`: tells this run from all others."""
        return self.seal.run

    @property
    def name(self) -> str:
        """The site as which this process signs; empty where it only reads."""
        return self.seal.signer

    # Eras

    @property
    def era_number(self) -> int:
        """How often the run was rolled back before what this ledger shows."""
        return self.era.number if self.era else 0

    def newer_era(self) -> Era | None:
        """The era after this one, if the run's owner has rolled it back; one small GET."""
        return eras.read_era(self._root, self.era_number + 1)

    def eras(self) -> list[Era]:
        """All rollbacks of the run, in order."""
        return eras.read_eras(self._root)

    def newest(self) -> "Ledger":
        """The run in its newest era.

        Raises:
            RunError: its owner has excluded this site.
        """
        era = next(reversed(self.eras()), None)
        if era and self.name in era.without:
            raise RunError(
                f"the run's owner goes on without {self.name!r} since era {era.number}"
                + (f": {era.reason}" if era.reason else "")
            )
        return self.in_era(era)

    def in_era(self, era: Era | None) -> "Ledger":
        """The run as it was in this era; None: its first."""
        seal = replace(self.seal, without=era.without if era else ())
        return Ledger(self.store, self.spec, seal, era)

    def begin_era(self, era: Era, first: Snapshot) -> "Ledger":
        """Begin the era after this one, as the owner: from here on only it counts.

        Raises:
            RunError: another era has begun under its number.
            StoreError: the store can't be read or written; nothing has happened then.
        """
        begun = self.in_era(era)
        if not eras.begin(self._root, begun._objects, era, first):
            raise RunError(
                f"somebody else has rolled back the run at {self.store.url} just now: look at it "
                "with `archipel run audit`, then decide again"
            )
        return begun

    # Sites

    def put_heartbeat(self, beat: Heartbeat) -> None:
        """Overwrite a site's heartbeat."""
        self._objects.put_line(f"sites/{beat.site}.json", beat)

    def sighting(self, site: str) -> Sighting | None:
        """A site's heartbeat with the store's time of it, or None."""
        key = f"sites/{site}.json"
        found = self.store.read(self._prefix + key)
        if found is None:
            return None
        beat, signer = self._objects.parse_line(key, found.data, Heartbeat)
        check_name(key, site, beat.site, signer)
        return Sighting(beat, found.modified)

    def site_names(self) -> list[str]:
        """All sites that ever took part."""
        return [name.removesuffix(".json") for name in self._objects.names("sites")]

    # Claims

    def put_claim(self, claim: Claim) -> bool:
        """Claim a generation of a unit; False where another site was first."""
        key = self._claim_key(claim.unit, claim.generation)
        return self._objects.put_line_if_absent(key, claim)

    def claim(self, unit: int, generation: int) -> Claim | None:
        """Who claimed a generation of a unit, or None."""
        key = self._claim_key(unit, generation)
        found = self._objects.line(key, Claim)
        if found is None:
            return None
        claim, signer = found
        check_name(key, claim.site, signer)
        if (claim.unit, claim.generation) != (unit, generation):
            raise IntegrityError(f"{key} claims unit {claim.unit}.{claim.generation}")
        return claim

    def claims(self) -> list[tuple[int, int]]:
        """All claims as (unit, generation); a LIST, for joining and audit."""
        found = []
        for name in self._objects.names("claims"):
            if match := _CLAIM.fullmatch(name):  # what else lies there claims nothing
                epoch, place, generation = map(int, match.groups())
                found.append((epoch * self.spec.epoch_units + place, generation))
        return sorted(found)

    def _claim_key(self, unit: int, generation: int) -> str:
        epoch, place = divmod(unit, self.spec.epoch_units)
        return f"claims/{epoch:05d}/{place:08d}.{generation}"

    # Rounds

    def put_contribution(self, header: Contribution, payload: bytes) -> bool:
        """Put a contribution; False where this site's name already has one for the round."""
        return self._objects.put_frame(_delta_key(header.round, header.site), header, payload)

    def contribution(self, round_: int, site: str) -> tuple[Contribution, memoryview, float] | None:
        """A site's contribution to a round, and when the store saw it put, in seconds; or None.

        Raises:
            IntegrityError: the object is truncated or altered.
        """
        found = self._contribution(round_, site)
        if found is None:
            return None
        header, frame = found
        return header, self._objects.payload(_delta_key(round_, site), frame), frame.put_at

    def contribution_header(self, round_: int, site: str) -> Contribution | None:
        """Its header, or None: as `contribution`, but the payload is left alone."""
        found = self._contribution(round_, site)
        return found and found[0]

    def _contribution(self, round_: int, site: str) -> tuple[Contribution, Frame] | None:
        key = _delta_key(round_, site)
        found = self._objects.frame(key, Contribution)
        if found is None:
            return None
        header, frame = found
        check_name(key, site, header.site, frame.signer)
        _check_round(key, round_, header.round)
        if frame.payload_bytes > 8 * header.values + INLINE_BYTES:
            raise IntegrityError(
                f"{key} brings {frame.payload_bytes} bytes for {header.values} values: too many"
            )
        return found

    def put_commit(self, header: Commit, payload: bytes) -> bool:
        """Decide a round; False where it was decided before."""
        return self._objects.put_frame(_commit_key(header.round), header, payload)

    def commit(self, round_: int) -> tuple[Commit, memoryview] | None:
        """A round's commit, or None while it is open.

        Raises:
            IntegrityError: the object is truncated or altered.
        """
        found = self._commit(round_)
        return found and (found[0], self._objects.payload(_commit_key(round_), found[1]))

    def commit_header(self, round_: int) -> Commit | None:
        """The header of a round's commit, or None: as `commit`, but the payload is left alone."""
        found = self._commit(round_)
        return found and found[0]

    def _commit(self, round_: int) -> tuple[Commit, Frame] | None:
        key = _commit_key(round_)
        found = self._objects.frame(key, Commit)
        if found:
            header, frame = found
            check_name(key, header.by, frame.signer)
            _check_round(key, round_, header.round)
        return found

    def rounds(self) -> tuple[list[int], list[tuple[int, str]]]:
        """The rounds that are decided, and every contribution still there as (round, site); a
        LIST, for the audit."""
        found = [
            match for name in self._objects.names("rounds") if (match := _ROUND.fullmatch(name))
        ]
        decided = [int(match[1]) for match in found if match[2] is None]
        return decided, [(int(match[1]), match[2]) for match in found if match[2]]

    def delete_contributions(self, rounds: Iterable[int]) -> None:
        """Delete the contributions of decided rounds; their commits stay, with their parts."""
        for round_ in rounds:
            folder = f"rounds/{round_:08d}"
            names = self._objects.names(folder)
            gone = [name for name in names if name.endswith(".delta")]
            if parts := [name for name in names if name.startswith("parts/")]:
                commit = self._commit(round_)
                kept = set(commit[1].digests) if commit else set()
                gone += [name for name in parts if name.removeprefix("parts/") not in kept]
            self._objects.delete([f"{folder}/{name}" for name in gone])

    # Snapshots

    def put_snapshot(
        self, number: int, files: Mapping[str, bytes | memoryview], **facts: object
    ) -> None:
        """Put a snapshot's files, compressed, and last its manifest.

        `number` counts the commits that the snapshot includes; `facts` are the manifest's other
        fields. Interrupted, the same call goes on where it was.
        """
        snapshots.put_snapshot(self._objects, Snapshot(number, files, facts))

    def snapshot_numbers(self) -> list[int]:
        """The complete snapshots, oldest first; a LIST, for joining, export and collection."""
        found = map(_MANIFEST.fullmatch, self._objects.names("snapshots"))
        return [int(match[1]) for match in found if match]

    def snapshot(self, number: int) -> SnapshotManifest | None:
        """A snapshot's manifest, or None."""
        found = self._objects.line(snapshots.manifest_key(number), SnapshotManifest)
        return found and found[0]

    def snapshot_file(
        self, number: int, manifest: SnapshotManifest, name: str, cache: Path | None = None
    ) -> bytes:
        """One file of a snapshot, checked; what the folder `cache` has of it is not fetched again.

        Raises:
            IntegrityError: it is missing, truncated or altered.
        """
        return snapshots.read_file(self._objects, number, manifest, name, cache)

    def delete_snapshot(self, number: int) -> None:
        """Delete a snapshot, its manifest first, so that what remains is never taken for whole."""
        folder = snapshots.folder(number)
        self._objects.delete([snapshots.manifest_key(number)])
        self._objects.delete([f"{folder}/{name}" for name in self._objects.names(folder)])

    # The base of a run that learns factors beside it

    def put_base(self, base: Packed) -> None:
        """Put the parameters that the run leaves as they are; interrupted, the same call goes
        on."""
        self._root.put_parts(_BASE, base.payload, base.file.parts)

    def base(self, file: PackedFile, cache: Path) -> bytes:
        """These parameters; what the folder `cache` has of them is not fetched again.

        Raises:
            IntegrityError: they are missing, truncated or altered.
        """
        return read_packed(self._root, _BASE, "parameters", file, cache)

    # Metrics

    def put_metrics(self, site: str, session: int, number: int, lines: bytes) -> None:
        """Put a piece of a site's metrics: JSON lines."""
        self.store.put(self._prefix + _metrics_key(site, session, number), lines)

    def metrics(self, site: str) -> bytes:
        """All of a site's metrics, in order: JSON lines."""
        pieces = (self.metrics_piece(site, *place) for place in self.metrics_places(site))
        return b"".join(piece or b"" for piece in pieces)

    def metrics_places(self, site: str) -> list[tuple[int, int]]:
        """The pieces of a site's metrics as (session, number), in order; a LIST."""
        found = map(_METRICS.fullmatch, self._objects.names(f"metrics/{site}"))
        return [(int(match[1]), int(match[2])) for match in found if match]

    def metrics_piece(self, site: str, session: int, number: int) -> bytes | None:
        """One piece of a site's metrics, or None."""
        return self.store.get(self._prefix + _metrics_key(site, session, number))


def read_spec(store: Objects) -> tuple[RunSpec, str]:
    """A run's spec and its digest.

    Raises:
        RunError: there is no run, or it is of another format version.
        StoreError: the store can't be read.
    """
    data = store.get("run.json")
    if data is None:
        raise RunError(
            f"there is no run at {store.url}: check the URL, or make one with `archipel run create`"
        )
    return RunSpec.read(data), sha256_bytes(data)


def _check_round(key: str, expected: int, found: int) -> None:
    if found != expected:
        raise IntegrityError(f"{key} says that it is of round {found}")


def _delta_key(round_: int, site: str) -> str:
    return f"rounds/{round_:08d}/{site}.delta"


def _commit_key(round_: int) -> str:
    return f"rounds/{round_:08d}/commit"


def _metrics_key(site: str, session: int, number: int) -> str:
    return f"metrics/{site}/{session:04d}-{number:06d}.jsonl"
