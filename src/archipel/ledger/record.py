"""The run's objects by name: put and get of checked records. Thin I/O, no decisions.

run.json · sites/<site>.json · claims/<epoch>/<unit>.<generation>
rounds/<round>/<site>.delta · rounds/<round>/commit
snapshots/<n>/manifest.json · metrics/<site>/<session>-<n>.jsonl
"""

from collections.abc import Iterable

from archipel.errors import IntegrityError, RunError
from archipel.files import sha256_bytes
from archipel.ledger.duty import Sighting
from archipel.ledger.frame import pack, unpack
from archipel.ledger.schema import (
    Claim,
    Commit,
    Contribution,
    Heartbeat,
    RunSpec,
    SnapshotFile,
    SnapshotManifest,
)
from archipel.store import Store


class Ledger:
    """One run's record under one URL."""

    def __init__(self, store: Store, spec: RunSpec) -> None:
        self.store = store
        self.spec = spec

    @classmethod
    def create(cls, store: Store, spec: RunSpec) -> "Ledger":
        """Put `run.json`; the same spec again changes nothing.

        Raises:
            RunError: another run has this URL.
            StoreError: the store can't be written.
        """
        if not store.put_if_absent("run.json", spec.to_json()):
            raise RunError(
                f"{store.url} already holds a run with another spec: take a new URL, "
                "or join that run with `archipel site join`"
            )
        return cls(store, spec)

    @classmethod
    def open(cls, store: Store) -> "Ledger":
        """Open an existing run.

        Raises:
            RunError: there is no run, or it is of another format version.
            StoreError: the store can't be read.
        """
        data = store.get("run.json")
        if data is None:
            raise RunError(
                f"there is no run at {store.url}: check the URL, or make one with "
                "`archipel run create`"
            )
        return cls(store, RunSpec.read(data))

    # Sites

    def put_heartbeat(self, beat: Heartbeat) -> None:
        """Overwrite a site's heartbeat."""
        self.store.put(f"sites/{beat.site}.json", beat.to_json())

    def sighting(self, site: str) -> Sighting | None:
        """A site's heartbeat with the store's time of it, or None."""
        found = self.store.read(f"sites/{site}.json")
        if found is None:
            return None
        return Sighting(Heartbeat.parse(found.data, f"sites/{site}.json"), found.modified)

    def site_names(self) -> list[str]:
        """All sites that ever took part."""
        return [_stem(info.key, ".json") for info in self.store.list("sites")]

    # Claims

    def put_claim(self, claim: Claim) -> bool:
        """Claim a generation of a unit; False where another site was first."""
        return self.store.put_if_absent(
            self._claim_key(claim.unit, claim.generation), claim.to_json()
        )

    def claim(self, unit: int, generation: int) -> Claim | None:
        """Who claimed a generation of a unit, or None."""
        key = self._claim_key(unit, generation)
        data = self.store.get(key)
        return None if data is None else Claim.parse(data, key)

    def claims(self) -> list[tuple[int, int]]:
        """All claims as (unit, generation); a LIST, for joining and audit."""
        found = []
        for info in self.store.list("claims"):
            epoch, name = info.key.split("/")[1:]
            unit, generation = name.split(".")
            found.append((int(epoch) * self.spec.epoch_units + int(unit), int(generation)))
        return sorted(found)

    def _claim_key(self, unit: int, generation: int) -> str:
        epoch, place = divmod(unit, self.spec.epoch_units)
        return f"claims/{epoch:05d}/{place:08d}.{generation}"

    # Rounds

    def put_contribution(self, header: Contribution, payload: bytes) -> bool:
        """Put a contribution; False where this site's name already has one for the round."""
        key = f"rounds/{header.round:08d}/{header.site}.delta"
        return self.store.put_if_absent(key, pack(header.to_json(), payload))

    def contribution(self, round_: int, site: str) -> tuple[Contribution, memoryview] | None:
        """A site's contribution to a round, or None.

        Raises:
            IntegrityError: the object is truncated or altered.
        """
        key = f"rounds/{round_:08d}/{site}.delta"
        frame = self.store.get(key)
        if frame is None:
            return None
        head, payload = unpack(frame, key)
        header = Contribution.parse(head, key)
        if (header.round, header.site) != (round_, site):
            raise IntegrityError(f"{key} is a copy of {header.site}'s for round {header.round}")
        return header, payload

    def put_commit(self, header: Commit, payload: bytes) -> bool:
        """Decide a round; False where it was decided before."""
        return self.store.put_if_absent(
            f"rounds/{header.round:08d}/commit", pack(header.to_json(), payload)
        )

    def commit(self, round_: int) -> tuple[Commit, memoryview] | None:
        """A round's commit, or None while it is open.

        Raises:
            IntegrityError: the object is truncated or altered.
        """
        key = f"rounds/{round_:08d}/commit"
        frame = self.store.get(key)
        if frame is None:
            return None
        head, payload = unpack(frame, key)
        header = Commit.parse(head, key)
        if header.round != round_:
            raise IntegrityError(f"{key} is a copy of the commit of round {header.round}")
        return header, payload

    def delete_contributions(self, rounds: Iterable[int]) -> None:
        """Delete the contributions of decided rounds; their commits stay."""
        for round_ in rounds:
            found = self.store.list(f"rounds/{round_:08d}")
            self.store.delete(info.key for info in found if info.key.endswith(".delta"))

    # Snapshots

    def put_snapshot(self, number: int, files: dict[str, bytes], **facts: object) -> None:
        """Put a snapshot's files and, last, its manifest; `facts` are the manifest's other fields.

        `number` counts the commits that the snapshot includes.
        """
        folder = f"snapshots/{number:08d}"
        for name, data in files.items():
            self.store.put(f"{folder}/{name}", data)
        listed = {
            name: SnapshotFile(size_bytes=len(data), sha256=sha256_bytes(data))
            for name, data in files.items()
        }
        manifest = SnapshotManifest.model_validate({"files": listed, **facts})
        self.store.put(f"{folder}/manifest.json", manifest.to_json())

    def snapshot_numbers(self) -> list[int]:
        """The complete snapshots, oldest first; a LIST, for joining, export and collection."""
        return [
            int(info.key.split("/")[1])
            for info in self.store.list("snapshots")
            if info.key.endswith("/manifest.json")
        ]

    def snapshot(self, number: int) -> SnapshotManifest | None:
        """A snapshot's manifest, or None."""
        key = f"snapshots/{number:08d}/manifest.json"
        data = self.store.get(key)
        return None if data is None else SnapshotManifest.parse(data, key)

    def snapshot_file(self, number: int, manifest: SnapshotManifest, name: str) -> bytes:
        """One file of a snapshot, checked.

        Raises:
            IntegrityError: it is missing, truncated or altered.
        """
        key = f"snapshots/{number:08d}/{name}"
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
        folder = f"snapshots/{number:08d}"
        self.store.delete([f"{folder}/manifest.json"])
        self.store.delete(info.key for info in self.store.list(folder))

    # Metrics

    def put_metrics(self, site: str, session: int, number: int, lines: bytes) -> None:
        """Put a piece of a site's metrics: JSON lines."""
        self.store.put(f"metrics/{site}/{session:04d}-{number:06d}.jsonl", lines)

    def metrics(self, site: str) -> bytes:
        """All of a site's metrics, in order: JSON lines."""
        pieces = (self.store.get(info.key) or b"" for info in self.store.list(f"metrics/{site}"))
        return b"".join(pieces)


def _stem(key: str, suffix: str) -> str:
    return key.rsplit("/", 1)[-1].removesuffix(suffix)
