"""Figures with their confidence intervals, from what each question contributes. Pure.

A figure is a function of sums over questions: so a bootstrap draws the questions anew, adds up, and
asks the function again. 95 % intervals throughout.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float64]

SEED = 0
_RESAMPLES = 1000
_Z = 1.959964  # of the standard normal, 97.5 %
_EDGES = (2.5, 97.5)

_Interval = tuple[float, float] | tuple[None, None]


@dataclass(frozen=True)
class Measure:
    """What each question adds (`rows`: questions x sums), and what the sums amount to. A question
    that does not count for this figure adds nothing."""

    name: str
    rows: Rows
    of_sums: Callable[[Rows], float]
    higher_is_better: bool = True
    is_proportion: bool = False


@dataclass(frozen=True)
class Figure:
    """A value over so many `questions`, and its interval, None where they are too few to tell."""

    value: float
    low: float | None
    high: float | None
    higher_is_better: bool
    questions: int


def proportion(name: str, hits: Sequence[bool]) -> Measure:
    """The share of questions that were answered rightly."""
    rows = np.array([[hit, 1] for hit in hits], np.float64).reshape(-1, 2)
    return Measure(name, rows, ratio, is_proportion=True)


def mean_of_parts(name: str, hits: Sequence[bool], parts: Sequence[str]) -> Measure:
    """The mean of the shares of each part, however many questions it has."""
    place = {part: number for number, part in enumerate(dict.fromkeys(parts))}
    rows = np.zeros((len(hits), 2 * len(place)))
    for row, hit, part in zip(rows, hits, parts, strict=True):
        row[place[part]] = hit
        row[len(place) + place[part]] = 1
    return Measure(name, rows, _mean_of_shares)


def mean(name: str, values: Sequence[float]) -> Measure:
    """The mean over the questions."""
    return Measure(name, np.array([[value, 1] for value in values]).reshape(-1, 2), ratio)


def ratio(sums: Rows) -> float:
    """The first sum for each unit of the second."""
    return float(sums[0] / sums[1])


def figure(measure: Measure) -> Figure:
    """The figure over all questions, of which there is at least one."""
    sums = measure.rows.sum(0)
    if measure.is_proportion:
        interval: _Interval = wilson(float(sums[0]), float(sums[1]))
    else:
        interval = _interval(measure.of_sums(drawn @ measure.rows) for drawn in _draws(measure))
    low, high = interval
    return Figure(measure.of_sums(sums), low, high, measure.higher_is_better, _counted(measure))


def difference(one: Measure, other: Measure) -> Figure:
    """How far `one` is above `other` over the same questions, which are drawn in pairs."""
    assert one.rows.shape[0] == other.rows.shape[0], "other questions"
    value = one.of_sums(one.rows.sum(0)) - other.of_sums(other.rows.sum(0))
    low, high = _interval(
        one.of_sums(drawn @ one.rows) - other.of_sums(drawn @ other.rows) for drawn in _draws(one)
    )
    return Figure(value, low, high, one.higher_is_better, _counted(one))


def wilson(hits: float, count: float) -> tuple[float, float]:
    """The score interval of a share, which holds near 0 and 1 and for few questions too."""
    share, z2 = hits / count, _Z * _Z
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    spread = math.sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    half = _Z * spread / (1 + z2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def _counted(measure: Measure) -> int:
    return int(measure.rows.any(axis=1).sum())


def _draws(measure: Measure) -> Iterator[npt.NDArray[Any]]:
    """How often each question was drawn, a thousand times; none where there is but one."""
    count, dice = len(measure.rows), np.random.default_rng(SEED)
    for _ in range(_RESAMPLES if count > 1 else 0):
        yield np.bincount(dice.integers(0, count, count), minlength=count).astype(np.float64)


def _interval(values: Iterator[float]) -> _Interval:
    found = list(values)
    if not found:
        return None, None
    low, high = np.percentile(found, _EDGES)
    return float(low), float(high)


def _mean_of_shares(sums: Rows) -> float:
    hits, counts = np.split(sums, 2)
    drawn = counts > 0  # a draw may leave a small part out
    return float((hits[drawn] / counts[drawn]).mean())
