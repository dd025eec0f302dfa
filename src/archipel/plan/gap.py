"""The held-out loss by which a run is expected to end above data-parallel training's, as measured.

Each is for sites that exchange every H steps, against one site with all the data, tokens equal.
"""

from dataclasses import dataclass
from math import log

_PARITY = "archipel bench parity, 41 k parameters, four sites (docs/decisions/0006)"
_STREAMING = "Streaming DiLoCo, table 6, four replicas (arXiv 2501.18512)"


@dataclass(frozen=True)
class Measured:
    """A gap as a share of the loss, at a size, an H and a codec."""

    parameters: float
    sync_steps: float
    gap: float
    source: str


_DENSE = (
    Measured(41e3, 4, 0.014, _PARITY),
    Measured(41e3, 30, 0.033, _PARITY),
    Measured(35e6, 30, 0.026, _STREAMING),
    Measured(35e6, 100, 0.037, _STREAMING),
    Measured(100e6, 30, 0.019, _STREAMING),
    Measured(100e6, 100, 0.031, _STREAMING),
    Measured(300e6, 30, 0.014, _STREAMING),
    Measured(300e6, 100, 0.025, _STREAMING),
    Measured(1e9, 30, 0.004, _STREAMING),
    Measured(1e9, 100, 0.016, _STREAMING),
)
_SPARSE = (Measured(41e3, 30, 0.123, f"{_PARITY}, 54 rounds: too few for it"),)
_FAR = log(4)  # in size or H: farther away is a guess


@dataclass(frozen=True)
class Gap:
    """An expected gap, the measurement next to the plan, and whether that one is far away."""

    share: float
    source: str
    extrapolated: bool


def expected_gap(codec: str, parameters: float, sync_steps: float) -> Gap:
    """The gap of the nearest measurement in size and H; larger models have had smaller ones."""
    known = _SPARSE if codec == "sparse" else _DENSE
    nearest = min(known, key=lambda one: _distance(one, parameters, sync_steps))
    far = _distance(nearest, parameters, sync_steps) > _FAR
    return Gap(nearest.gap, nearest.source, far)


def _distance(one: Measured, parameters: float, sync_steps: float) -> float:
    return max(abs(log(parameters / one.parameters)), 2 * abs(log(sync_steps / one.sync_steps)))
