"""The global state of a run as one site holds it: parameters, outer momentum, data cover.

It moves by commits only, so that it is bit-identical on every site that has applied the same ones.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from archipel.errors import IntegrityError
from archipel.files import sha256_bytes
from archipel.ledger import Commit, Cover, RunSpec, SnapshotManifest
from archipel.ledger.snapshots import MOMENTUM, PARAMETERS
from archipel.train.codec import codec_named
from archipel.train.fragments import Fragment, Vector, assemble
from archipel.train.guard import History
from archipel.train.outer import outer_step


@dataclass(frozen=True)
class Preview:
    """A fragment's parameters and momentum after a commit, and the parameters' digest."""

    parameters: Vector
    momentum: Vector
    digest: str


class GlobalState:
    """What the commits so far amount to. `applied[f]` is the last round applied to fragment f.

    `history` is what this process has seen of the commits, for the guard.
    """

    def __init__(
        self,
        spec: RunSpec,
        fragments: Sequence[Fragment],
        tensors: Mapping[str, np.ndarray],
    ) -> None:
        """The state at the start of a run, from the initial parameters."""
        self._set(spec, fragments, [fragment.flatten(tensors) for fragment in fragments])

    def _set(self, spec: RunSpec, fragments: Sequence[Fragment], parameters: list[Vector]) -> None:
        self.spec = spec
        self.fragments = fragments
        self.codec = codec_named(spec.codec)
        self.parameters = parameters
        self.momentum = [np.zeros_like(vector) for vector in parameters]
        self.applied = [index - spec.fragments for index in range(spec.fragments)]
        self.cover = Cover(spec)
        self.history = [History() for _ in fragments]

    @classmethod
    def of_vectors(
        cls,
        spec: RunSpec,
        fragments: Sequence[Fragment],
        parameters: list[Vector],
        momentum: list[Vector],
    ) -> "GlobalState":
        """A state from its vectors; `applied` and `cover` are still those of a run's start."""
        state = cls.__new__(cls)
        state._set(spec, fragments, parameters)
        state.momentum = momentum
        return state

    def next_round(self, fragment: int) -> int:
        """The round that is to move this fragment next."""
        return self.applied[fragment] + self.spec.fragments

    def preview(self, fragment: int, payload: bytes | memoryview) -> Preview:
        """What the fragment becomes if a commit with this payload is applied.

        An empty payload (nobody had trained) changes nothing.
        """
        if not payload:
            parameters, momentum = self.parameters[fragment], self.momentum[fragment]
        else:
            update = self.codec.decode_commit(payload, self.fragments[fragment].values)
            parameters, momentum = outer_step(
                self.spec.outer, self.parameters[fragment], self.momentum[fragment], update
            )
        return Preview(parameters, momentum, digest(parameters))

    def apply(self, commit: Commit, payload: bytes | memoryview) -> None:
        """Apply the next commit of its fragment.

        Raises:
            IntegrityError: the commit doesn't follow, or its result is not what its digest says.
        """
        self.advance(commit, self.preview(commit.round % self.spec.fragments, payload))

    def advance(self, commit: Commit, preview: Preview) -> None:
        """Apply a commit whose outcome is worked out already.

        Raises:
            IntegrityError: the commit doesn't follow, or its result is not what its digest says.
        """
        fragment = commit.round % self.spec.fragments
        if commit.round != self.next_round(fragment):
            raise IntegrityError(f"commit {commit.round} does not follow {self.applied[fragment]}")
        if preview.digest != commit.digest:
            raise IntegrityError(
                f"after commit {commit.round} the parameters differ from the commit's digest: this "
                "site's state is not the run's. Stop it and join again from the newest snapshot"
            )
        self.cover.apply(commit)
        self.parameters[fragment], self.momentum[fragment] = preview.parameters, preview.momentum
        self.applied[fragment] = commit.round
        self.history[fragment] = self.history[fragment].after(commit)

    def copy(self) -> "GlobalState":
        """The state as it is now; the vectors are shared, since applying replaces them whole."""
        parameters, momentum = list(self.parameters), list(self.momentum)
        twin = GlobalState.of_vectors(self.spec, self.fragments, parameters, momentum)
        twin.applied, twin.cover = list(self.applied), deepcopy(self.cover)
        twin.history = list(self.history)
        return twin

    def tensors(self) -> dict[str, np.ndarray]:
        """The global parameters by name, fp32."""
        return assemble(self.fragments, self.parameters)

    def snapshot_files(self) -> dict[str, memoryview]:
        """The files of a snapshot of this state: little-endian fp32, two for each fragment."""
        vectors = {PARAMETERS: self.parameters, MOMENTUM: self.momentum}
        return {
            f"{kind}.{fragment}": vector.astype("<f4", copy=False).data.cast("B")
            for kind, of_kind in vectors.items()
            for fragment, vector in enumerate(of_kind)
        }

    def snapshot_facts(self) -> dict[str, Any]:
        """The manifest's fields that go with `snapshot_files`."""
        return {"rounds": tuple(self.applied), "cover": self.cover.to_json()}

    @classmethod
    def from_snapshot(
        cls,
        spec: RunSpec,
        fragments: Sequence[Fragment],
        manifest: SnapshotManifest,
        files: Mapping[str, bytes],
    ) -> "GlobalState":
        """The state that a snapshot holds.

        Raises:
            IntegrityError: the snapshot is of another model.
        """
        parameters, momentum = (
            [_vector(files, f"{kind}.{f}", part.values) for f, part in enumerate(fragments)]
            for kind in (PARAMETERS, MOMENTUM)
        )
        state = cls.of_vectors(spec, fragments, parameters, momentum)
        state.applied = list(manifest.rounds)
        state.cover = Cover.from_json(spec, manifest.cover)
        return state


def digest(parameters: Vector) -> str:
    """SHA-256 of a fragment's parameters as little-endian fp32."""
    return sha256_bytes(parameters.astype("<f4", copy=False).data)


def _vector(files: Mapping[str, bytes], name: str, values: int) -> Vector:
    data = files.get(name, b"")
    if len(data) != 4 * values:
        raise IntegrityError(
            f"a snapshot's {name} has {len(data)} bytes instead of {4 * values}: it holds another "
            "model than the run's spec describes"
        )
    return np.frombuffer(data, "<f4").astype(np.float32)
