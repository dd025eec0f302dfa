"""What the metrics of sites say about speed, pauses and digests. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

Point = dict[str, Any]


def tokens_between(points: Iterable[Point], since: float, until: float) -> float:
    """Tokens that a site trained between two moments, by lines between its training points.

    A step counter that falls back marks a new process; what it trained counts from its first point.
    """
    tokens = 0.0
    trained = [point for point in points if "tokens" in point and "time" in point]
    for before, after in pairwise(trained):
        if after["step"] <= before["step"]:
            continue
        begin, end = max(before["time"], since), min(after["time"], until)
        if end > begin:
            share = (end - begin) / (after["time"] - before["time"])
            tokens += share * (after["tokens"] - before["tokens"])
    return tokens


def longest_pause(points: Iterable[Point], since: float, until: float) -> float | None:
    """The longest time between the ends of two inner steps, in seconds; None where unknown."""
    return max(
        (
            float(point["longest_pause_seconds"])
            for point in points
            if since <= point.get("time", -1.0) <= until and "longest_pause_seconds" in point
        ),
        default=None,
    )


def digests_equal_share(digests: Mapping[int, str], sites: Mapping[str, Sequence[Point]]) -> float:
    """Of the rounds that were applied, the share where every site found the commit's digest."""
    applied: dict[int, bool] = {}
    for points in sites.values():
        for point in points:
            if "applied" in point:
                round_ = point["applied"]
                equal = point["digest"] == digests.get(round_)
                applied[round_] = applied.get(round_, True) and equal
    return sum(applied.values()) / len(applied) if applied else 0.0
