"""A site's own checkpoint on its disk: the global state it had, and its inner optimiser's.

With it a restart costs the commits since, not the model, and no warm-up. Only a help: one that is
missing or damaged is done without.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from archipel.errors import ConfigError, IntegrityError
from archipel.files import write_atomic
from archipel.ledger import Cover, RunSpec
from archipel.train.fragments import Fragment
from archipel.train.state import GlobalState, digest

log = logging.getLogger(__name__)

_FILE = "checkpoint.safetensors"
_OPTIMISER = "optimiser."


class Checkpoint:
    """The checkpoint in one folder, which belongs to one site of one run."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE

    def save(self, state: GlobalState, optimiser: Mapping[str, np.ndarray]) -> None:
        """Write a new checkpoint over the last one; a disk that is full is only warned of."""
        tensors = {f"parameters.{f}": vector for f, vector in enumerate(state.parameters)}
        tensors |= {f"momentum.{f}": vector for f, vector in enumerate(state.momentum)}
        facts = {
            "applied": state.applied,
            "cover": state.cover.to_json(),
            "digests": {name: digest(vector) for name, vector in tensors.items()},
        }
        tensors |= {_OPTIMISER + name: array for name, array in optimiser.items()}
        try:
            write_atomic(self._path, save(tensors, {"facts": json.dumps(facts)}))
        except ConfigError as error:
            log.warning("no checkpoint of this site: %s Training goes on.", error)

    def load(
        self, spec: RunSpec, fragments: Sequence[Fragment]
    ) -> tuple[GlobalState, dict[str, np.ndarray]] | None:
        """The global state and the optimiser's, or None where there is no sound checkpoint."""
        if not self._path.exists():
            return None
        try:
            tensors, facts = self._read()
            return _rebuild(spec, fragments, tensors, facts), {
                name.removeprefix(_OPTIMISER): array
                for name, array in tensors.items()
                if name.startswith(_OPTIMISER)
            }
        except (OSError, SafetensorError, IntegrityError, KeyError, TypeError, ValueError) as error:
            log.warning("%s is of no use (%s): joining from a snapshot instead", self._path, error)
            return None

    def discard(self) -> None:
        """Delete the checkpoint: it led astray."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> tuple[dict[str, np.ndarray], dict[str, object]]:
        with safe_open(self._path, framework="numpy") as file:
            facts = json.loads((file.metadata() or {})["facts"])
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118


def _rebuild(
    spec: RunSpec,
    fragments: Sequence[Fragment],
    tensors: Mapping[str, np.ndarray],
    facts: Mapping[str, object],
) -> GlobalState:
    parameters = [tensors[f"parameters.{f}"] for f in range(spec.fragments)]
    momentum = [tensors[f"momentum.{f}"] for f in range(spec.fragments)]
    for name, vectors in (("parameters", parameters), ("momentum", momentum)):
        for f, (vector, fragment) in enumerate(zip(vectors, fragments, strict=True)):
            if vector.shape != (fragment.values,) or vector.dtype != np.float32:
                raise IntegrityError(f"{name}.{f} has another shape than the run's")
            if digest(vector) != facts["digests"][f"{name}.{f}"]:  # type: ignore[index]
                raise IntegrityError(f"{name}.{f} does not match its digest")
    state = GlobalState.of_vectors(spec, fragments, parameters, momentum)
    state.applied = [int(last) for last in facts["applied"]]  # type: ignore[attr-defined]
    state.cover = Cover.from_json(spec, facts["cover"])  # type: ignore[arg-type]
    return state
