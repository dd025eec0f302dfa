"""What the outcomes of contestants say: time to a loss, busy share, bytes. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from statistics import fmean
from typing import Any

import numpy as np

CURVE_POINTS = 12
UNLINKED = "no link"
APART = "apart"  # bare training loops that never exchange
RESTING = "resting"  # Archipel's sites that never exchange
IDLE_LINKS = (APART, RESTING)
DEPENDS_ON_ITS_LINK = ("int4", "sparse")  # in what it learns by tokens
_TEACHERS = {"data-parallel": "alone"}  # who learns the same by tokens, and comes to its end


@dataclass(frozen=True, kw_only=True)
class Point:
    """The merged model at one moment: since training began, of all sites together."""

    seconds: float
    tokens: int
    wan_bytes: float
    loss: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How far a contestant came on one link; `finished` is false where its time was over.

    `training_cores`: what a site's training thread took of a core; None where that thread also
    exchanges, or did not say. `seeds`: of how many runs this is the mean."""

    seconds: float
    tokens: int
    wan_bytes: float
    finished: bool
    curve: list[Point]
    training_cores: float | None = None
    seeds: int = 1

    @property
    def tokens_per_second(self) -> float:
        """Of all sites together."""
        return self.tokens / self.seconds


@dataclass(frozen=True)
class Results:
    """What was measured, by link and contestant; and why some of it could not be."""

    outcomes: dict[tuple[str, str], Outcome]
    failures: dict[tuple[str, str], str]

    def finished(self, way: str) -> Outcome | None:
        """What came to its end in this way, on whatever link: the mean of most seeds."""
        found = [one for (_, other), one in self.outcomes.items() if other == way and one.finished]
        return max(found, key=lambda one: one.seeds, default=None)


def mean_of(outcomes: Sequence[Outcome]) -> Outcome:
    """One contestant's runs of several seeds on one link as one: the mean of each figure, and of
    the curves by lines between their points, at the tokens of the first as far as all have any."""
    low = max((one.curve[0].tokens for one in outcomes if one.curve), default=0)
    high = min((one.curve[-1].tokens for one in outcomes if one.curve), default=0)
    at = [point.tokens for point in outcomes[0].curve if low <= point.tokens <= high]

    def mean(values: Callable[[Point], float]) -> list[float]:
        if not at:  # bare loops have no curve
            return []
        lines = [
            np.interp(at, [p.tokens for p in one.curve], [values(p) for p in one.curve])
            for one in outcomes
        ]
        return [float(value) for value in np.mean(lines, axis=0)]

    rows = zip(
        at,
        *(mean(of) for of in (lambda p: p.seconds, lambda p: p.wan_bytes, lambda p: p.loss)),
        strict=True,
    )
    cores = [one.training_cores for one in outcomes if one.training_cores is not None]
    return Outcome(
        seconds=fmean(one.seconds for one in outcomes),
        tokens=round(fmean(one.tokens for one in outcomes)),
        wan_bytes=fmean(one.wan_bytes for one in outcomes),
        finished=all(one.finished for one in outcomes),
        curve=[
            Point(tokens=tokens, seconds=seconds, wan_bytes=count, loss=loss)
            for tokens, seconds, count, loss in rows
        ],
        training_cores=fmean(cores) if len(cores) == len(outcomes) else None,
        seeds=len(outcomes),
    )


def figures_of(results: Results, *, sites: int, parameters: int) -> dict[str, Any]:
    """All figures; contestants are compared at the tokens that one site alone was given.

    A busy share is against the same sites when they never exchange, measured beside it: a machine
    is not as fast an hour later. It is what the training thread gets of a core where that thread
    does nothing else, since a step's cost drifts by a tenth in seconds on a shared machine; and
    the pace where one thread trains and exchanges. The target is the loss that one site alone, and
    so data-parallel training, has in the end, as the mean of its seeds: that of one seed goes up
    and down by two tenths from point to point.
    """
    alone = results.outcomes[UNLINKED, "alone"]
    tokens = alone.curve[-1].tokens
    profiles: dict[str, dict[str, Any]] = {}
    for (profile, way), outcome in results.outcomes.items():
        by = profiles.setdefault(profile, {})
        if way in IDLE_LINKS:
            by[way] = {
                "tokens_per_second": round(outcome.tokens_per_second, 1),
                "training_cores": _rounded(outcome.training_cores),
            }
        elif profile != UNLINKED:
            apart = results.outcomes[profile, APART]
            by[way] = _figures(results, way, outcome, apart, alone.curve[-1].loss, tokens)
    del profiles[UNLINKED]
    for (profile, way), error in results.failures.items():
        profiles.setdefault(profile, {})[way] = {"error": error}
    return {
        "sites": sites,
        "parameters": parameters,
        "tokens": tokens,
        "target_loss": round(alone.curve[-1].loss, 4),
        "tokens_per_second_alone": round(alone.tokens_per_second),
        "seconds_alone": round(alone.seconds, 1),
        "profiles": profiles,
    }


def _figures(
    results: Results, way: str, outcome: Outcome, apart: Outcome, target: float, tokens: int
) -> dict[str, Any]:
    source = None
    if way not in DEPENDS_ON_ITS_LINK:
        source = results.finished(_TEACHERS.get(way, way))
    whole = paced(outcome, source)
    reached, stays = seconds_to(whole.curve, target), seconds_below(whole.curve, target)
    final = loss_at(whole.curve, tokens)
    pace = outcome.tokens_per_second / apart.tokens_per_second
    busy = pace
    if outcome.training_cores is not None and apart.training_cores is not None:
        busy = outcome.training_cores / apart.training_cores
    return {
        "busy_share": round(busy, 4),
        "pace_share": round(pace, 4),
        "wan_bytes_per_token": round(outcome.wan_bytes / outcome.tokens, 1),
        "tokens_per_second": round(outcome.tokens_per_second, 1),
        "seconds_to_target_loss": None if reached is None else round(reached, 1),
        "seconds_below_target_loss": None if stays is None else round(stays, 1),
        "final_loss": None if final is None else round(final, 4),
        "measured_seconds": round(outcome.seconds, 1),
        "measured_tokens": outcome.tokens,
        "finished": outcome.finished,
        "seeds_of_curve": (source or outcome).seeds,
        "curve": [asdict(point) for point in whole.curve],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def paced(outcome: Outcome, source: Outcome | None) -> Outcome:
    """A contestant at its own pace with the losses of runs of its way that finished: what it learns
    by tokens does not depend on its link, only how long they take."""
    if source is None:
        return outcome
    pace, each = outcome.seconds / outcome.tokens, outcome.wan_bytes / outcome.tokens
    curve = [
        replace(point, seconds=point.tokens * pace, wan_bytes=point.tokens * each)
        for point in source.curve
    ]
    return replace(outcome, curve=curve)


def seconds_to(curve: Sequence[Point], loss: float) -> float | None:
    """When the curve first comes down to a loss, by lines between its points; None if never."""
    for before, after in pairwise(curve):
        if after.loss <= loss:
            share = max(0.0, before.loss - loss) / max(before.loss - after.loss, 1e-9)
            return before.seconds + min(1.0, share) * (after.seconds - before.seconds)
    return None


def seconds_below(curve: Sequence[Point], loss: float) -> float | None:
    """When the curve comes down to a loss for good, by lines between its points: a merged model's
    loss goes up and down from round to round. None where it ends above."""
    above = [at for at, point in enumerate(curve) if point.loss > loss]
    return seconds_to(curve[above[-1] :] if above else curve, loss)


def loss_at(curve: Sequence[Point], tokens: int) -> float | None:
    """The loss at a number of tokens, by lines between points; None where it ends before."""
    if not curve or curve[-1].tokens < tokens:
        return None
    return float(np.interp(tokens, [p.tokens for p in curve], [p.loss for p in curve]))
