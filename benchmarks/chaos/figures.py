"""The chaos run's figures, from what was done, what was seen and what the ledger says. Pure."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Any

from benchmarks.chaos.acts import Disturbance, Done


@dataclass(frozen=True)
class Sample:
    """The sites that took part at a moment: heartbeat fresh, training or waiting."""

    time: float
    sites: frozenset[str]


@dataclass(frozen=True)
class Round:
    """A decided round: when, and whose contributions were merged."""

    number: int
    time: float
    merged: frozenset[str]


def shares(
    rounds: Sequence[Round],
    samples: Sequence[Sample],
    disturbances: Sequence[Disturbance],
    grace_seconds: float,
) -> dict[int, float]:
    """For each round the share of the live sites that contributed to it.

    Live: seen taking part in every sample of the `grace_seconds` before the commit, and not
    disturbed at any time in them. Rounds in which nobody was are left out.
    """
    found = {}
    for round_ in rounds:
        since = round_.time - grace_seconds
        seen = [sample.sites for sample in samples if since <= sample.time <= round_.time]
        live = frozenset.intersection(*seen) if seen else frozenset()
        for disturbance in disturbances:
            if disturbance.since <= round_.time and disturbance.until >= since:
                live -= frozenset(disturbance.sites)
        if live:
            found[round_.number] = len(live & round_.merged) / len(live)
    return found


def recoveries(done: Sequence[Done], rounds: Sequence[Round]) -> dict[str, float]:
    """By kind, the median seconds from the end of a fault to the next commit with that site in it.

    For faults without a site: to the next commit.
    """
    seconds = defaultdict(list)
    for fault in done:
        after = [
            round_.time - fault.until
            for round_ in rounds
            if round_.time >= fault.until and (not fault.site or fault.site in round_.merged)
        ]
        if after:
            seconds[fault.kind].append(min(after))
    return {kind: round(median(values), 1) for kind, values in sorted(seconds.items())}


def report(
    done: Sequence[Done], rounds: Sequence[Round], participation: Mapping[int, float]
) -> dict[str, Any]:
    """What was done, by kind, and how the run took it."""
    poisoned = [fault for fault in done if fault.poison]
    return {
        "faults": len(done),
        "rounds": len(rounds),
        "participation": round(mean(participation.values()), 4) if participation else 0.0,
        "rounds_with_every_live_site": sum(share == 1 for share in participation.values()),
        "rounds_judged": len(participation),
        "poisoned": len(poisoned),
        "poisoned_accepted": sum(fault.poison.accepted for fault in poisoned if fault.poison),
        "poisoned_reasons": {fault.kind: fault.poison.reason for fault in poisoned if fault.poison},
        "faults_by_kind": dict(sorted(Counter(fault.kind for fault in done).items())),
        "recovery_seconds_by_kind": recoveries(done, rounds),
        "troubles": [f"{fault.kind}: {fault.trouble}" for fault in done if fault.trouble],
    }
