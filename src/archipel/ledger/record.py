"""The run's objects by name: put and get of signed, checked records. Thin I/O, no decisions.

run.json · members/<site>.json · eras/<n>.json
sites/<site>.json · claims/<epoch>/<unit>.<generation>
rounds/<round>/<site>.delta · rounds/<round>/commit
snapshots/<n>/manifest.json · metrics/<site>/<session>-<n>.jsonl

After a rollback all but the first line lie below eras/<n>/.
"""

from collections.abc import Iterable

from archipel.errors import IntegrityError, RunError
from archipel.files import sha256_bytes
from archipel.ledger.duty import Sighting
from archipel.ledger.frame import pack, pack_line, unpack, unpack_line
from archipel.ledger.keys import Keys, Seal, public_key
from archipel.ledger.members import MemberKeys
from archipel.ledger.schema import (
    Claim,
    Commit,
    Contribution,
    Era,
    Heartbeat,
    RunSpec,
    SnapshotFile,
    SnapshotManifest,
)
from archipel.store import Objects


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
        self._prefix = f"eras/{era.number:04d}/" if era else ""

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
        """Open an existing run; without `keys` to read only, checked by its members' keys.

        Raises:
            RunError: there is no run, or it is of another format version.
            StoreError: the store can't be read.
        """
        spec, run = read_spec(store)
        return cls(store, spec, Seal(run, keys or MemberKeys(store, run, spec.owner)))

    @classmethod
    def open_as(cls, store: Objects, name: str, private: str) -> "Ledger":
        """Open an existing run as a member with its private key, or as its owner.

        Raises:
            RunError: there is no run, or it doesn't know this name with this key.
            StoreError: the store can't be read.
        """
        spec, run = read_spec(store)
        keys = MemberKeys(store, run, spec.owner, (name, private))
        if keys.public(name) != public_key(private):
            raise RunError(
                f"the run at {store.url} does not know {name!r} by this key: ask its owner for "
                f"`archipel run invite {store.url} --name NAME`, with a name of your own"
            )
        return cls(store, spec, Seal(run, keys))

    @property
    def run(self) -> str:
        """The digest of `run.json`: tells this run from all others."""
        return self.seal.run

    @property
    def name(self) -> str:
        """The site as which this process signs; empty where it only reads."""
        return self.seal.signer

    # Sites

    def put_heartbeat(self, beat: Heartbeat) -> None:
        """Overwrite a site's heartbeat."""
        key = self._key(f"sites/{beat.site}.json")
        self.store.put(key, pack_line(beat.to_json(), key, self.seal))

    def sighting(self, site: str) -> Sighting | None:
        """A site's heartbeat with the store's time of it, or None."""
        key = self._key(f"sites/{site}.json")
        found = self.store.read(key)
        if found is None:
            return None
        line, signer = unpack_line(found.data, key, self.seal)
        beat = Heartbeat.parse(line, key)
        _check_name(key, site, beat.site, signer)
        return Sighting(beat, found.modified)

    def site_names(self) -> list[str]:
        """All sites that ever took part."""
        return [_stem(info.key, ".json") for info in self.store.list(self._key("sites"))]

    # Claims

    def put_claim(self, claim: Claim) -> bool:
        """Claim a generation of a unit; False where another site was first."""
        key = self._claim_key(claim.unit, claim.generation)
        return self.store.put_if_absent(key, pack_line(claim.to_json(), key, self.seal))

    def claim(self, unit: int, generation: int) -> Claim | None:
        """Who claimed a generation of a unit, or None."""
        key = self._claim_key(unit, generation)
        data = self.store.get(key)
        if data is None:
            return None
        line, signer = unpack_line(data, key, self.seal)
        claim = Claim.parse(line, key)
        _check_name(key, claim.site, signer)
        return claim

    def claims(self) -> list[tuple[int, int]]:
        """All claims as (unit, generation); a LIST, for joining and audit."""
        found = []
        for info in self.store.list(self._key("claims")):
            epoch, name = info.key.split("/")[-2:]
            unit, generation = name.split(".")
            found.append((int(epoch) * self.spec.epoch_units + int(unit), int(generation)))
        return sorted(found)

    def _claim_key(self, unit: int, generation: int) -> str:
        epoch, place = divmod(unit, self.spec.epoch_units)
        return self._key(f"claims/{epoch:05d}/{place:08d}.{generation}")

    # Rounds

    def put_contribution(self, header: Contribution, payload: bytes) -> bool:
        """Put a contribution; False where this site's name already has one for the round."""
        key = self._key(f"rounds/{header.round:08d}/{header.site}.delta")
        return self.store.put_if_absent(key, pack(header.to_json(), payload, key, self.seal))

    def contribution(self, round_: int, site: str) -> tuple[Contribution, memoryview] | None:
        """A site's contribution to a round, or None.

        Raises:
            IntegrityError: the object is truncated or altered.
        """
        key = self._key(f"rounds/{round_:08d}/{site}.delta")
        data = self.store.get(key)
        if data is None:
            return None
        frame = unpack(data, key, self.seal)
        header = Contribution.parse(frame.header, key)
        _check_name(key, site, header.site, frame.signer)
        _check_round(key, round_, header.round)
        return header, frame.body

    def put_commit(self, header: Commit, payload: bytes) -> bool:
        """Decide a round; False where it was decided before."""
        key = self._key(f"rounds/{header.round:08d}/commit")
        return self.store.put_if_absent(key, pack(header.to_json(), payload, key, self.seal))

    def commit(self, round_: int) -> tuple[Commit, memoryview] | None:
        """A round's commit, or None while it is open.

        Raises:
            IntegrityError: the object is truncated or altered.
        """
        key = self._key(f"rounds/{round_:08d}/commit")
        data = self.store.get(key)
        if data is None:
            return None
        frame = unpack(data, key, self.seal)
        header = Commit.parse(frame.header, key)
        _check_name(key, header.by, frame.signer)
        _check_round(key, round_, header.round)
        return header, frame.body

    def delete_contributions(self, rounds: Iterable[int]) -> None:
        """Delete the contributions of decided rounds; their commits stay."""
        for round_ in rounds:
            found = self.store.list(self._key(f"rounds/{round_:08d}"))
            self.store.delete(info.key for info in found if info.key.endswith(".delta"))

    # Snapshots

    def put_snapshot(self, number: int, files: dict[str, bytes], **facts: object) -> None:
        """Put a snapshot's files and, last, its manifest; `facts` are the manifest's other fields.

        `number` counts the commits that the snapshot includes.
        """
        folder = self._key(f"snapshots/{number:08d}")
        for name, data in files.items():
            self.store.put(f"{folder}/{name}", data)
        listed = {
            name: SnapshotFile(size_bytes=len(data), sha256=sha256_bytes(data))
            for name, data in files.items()
        }
        manifest = SnapshotManifest.model_validate({"files": listed, **facts})
        key = f"{folder}/manifest.json"
        self.store.put(key, pack_line(manifest.to_json(), key, self.seal))

    def snapshot_numbers(self) -> list[int]:
        """The complete snapshots, oldest first; a LIST, for joining, export and collection."""
        return [
            int(info.key.split("/")[-2])
            for info in self.store.list(self._key("snapshots"))
            if info.key.endswith("/manifest.json")
        ]

    def snapshot(self, number: int) -> SnapshotManifest | None:
        """A snapshot's manifest, or None."""
        key = self._key(f"snapshots/{number:08d}/manifest.json")
        data = self.store.get(key)
        if data is None:
            return None
        line, _ = unpack_line(data, key, self.seal)
        return SnapshotManifest.parse(line, key)

    def snapshot_file(self, number: int, manifest: SnapshotManifest, name: str) -> bytes:
        """One file of a snapshot, checked.

        Raises:
            IntegrityError: it is missing, truncated or altered.
        """
        key = self._key(f"snapshots/{number:08d}/{name}")
        data = self.store.get(key)
        expected = manifest.files[name]
        if (
            data is None
            or len(data) != expected.size_bytes
            or sha256_bytes(data) != expected.sha256
        ):
            raise IntegrityError(
                f"{key} is missing, truncated or altered: delete that snapshot's folder to fall "
                "back on the one before it"
            )
        return data

    def delete_snapshot(self, number: int) -> None:
        """Delete a snapshot, its manifest first, so that what remains is never taken for whole."""
        folder = self._key(f"snapshots/{number:08d}")
        self.store.delete([f"{folder}/manifest.json"])
        self.store.delete(info.key for info in self.store.list(folder))

    # Metrics

    def put_metrics(self, site: str, session: int, number: int, lines: bytes) -> None:
        """Put a piece of a site's metrics: JSON lines."""
        self.store.put(self._metrics_key(site, session, number), lines)

    def metrics(self, site: str) -> bytes:
        """All of a site's metrics, in order: JSON lines."""
        pieces = (self.metrics_piece(site, *place) for place in self.metrics_places(site))
        return b"".join(piece or b"" for piece in pieces)

    def metrics_places(self, site: str) -> list[tuple[int, int]]:
        """The pieces of a site's metrics as (session, number), in order; a LIST."""
        stems = [
            _stem(info.key, ".jsonl") for info in self.store.list(self._key(f"metrics/{site}"))
        ]
        return [(int(session), int(number)) for session, number in (s.split("-") for s in stems)]

    def metrics_piece(self, site: str, session: int, number: int) -> bytes | None:
        """One piece of a site's metrics, or None."""
        return self.store.get(self._metrics_key(site, session, number))

    def _metrics_key(self, site: str, session: int, number: int) -> str:
        return self._key(f"metrics/{site}/{session:04d}-{number:06d}.jsonl")

    def _key(self, path: str) -> str:
        return self._prefix + path


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


def _check_name(key: str, *names: str) -> None:
    if len(set(names)) > 1:
        raise IntegrityError(f"{key} names different sites: {', '.join(sorted(set(names)))}")


def _check_round(key: str, expected: int, found: int) -> None:
    if found != expected:
        raise IntegrityError(f"{key} says that it is of round {found}")


def _stem(key: str, suffix: str) -> str:
    return key.rsplit("/", 1)[-1].removesuffix(suffix)
