"""What the exchange takes of a site beside its training: by the second, by the round. Linux, root.

Four sites with a share of a core each, on links that nothing shapes and on slow ones, with rounds
that come often, as usual and hardly ever. What comes over a slow link comes in more and smaller
pieces, each of which wakes somebody. Processor time is the kernel's count, of the thread that
trains and of all others, so that other work on the machine hardly shows; bytes are those of the
virtual network cards. The planner's figures for small traffic and requests come from here
(`plan/wire.py`).
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import numpy as np

from archipel.ledger import Ledger
from archipel.train.join import run_fragments
from benchmarks.linked.common import (
    SETTLE_SECONDS,
    SHARE,
    SITES,
    SLOW,
    Figures,
    equal_shares,
    setting,
    shape_all,
    working,
)
from benchmarks.network import Link, Network, Site, interrupt_on_terminate
from benchmarks.network.stage import Stage, beats

_SYNCS = (10, 30, 240)


@dataclass(frozen=True)
class _Rates:
    """Of the mean site, a second; sizes are means over the run's objects."""

    rounds: float
    training: float  # of a core
    beside: float  # of a core
    steps: float
    bytes: float
    contribution_bytes: float
    commit_bytes: float
    values: int  # of a fragment


def run(quick: bool) -> Figures:
    """Measure each codec and return the figures; what a round takes is a fit over the runs."""
    interrupt_on_terminate()
    seconds = 20.0 if quick else 60.0
    figures: Figures = {"sites": len(SITES), "processor_share": SHARE}
    with (
        tempfile.TemporaryDirectory() as folder,
        Network(SITES, Path(folder) / "store.log") as network,
    ):
        stage = Stage(network, Path(folder))
        for codec in ("int4", "sparse"):
            for name, link in (("", Link()), ("slow_link_", SLOW)):
                found = [_measured(stage, codec, sync, link, seconds) for sync in _SYNCS]
                figures |= {f"{codec}_{name}{key}": value for key, value in _figures(found)}
    return figures


def _measured(stage: Stage, codec: str, sync: int, link: Link, seconds: float) -> _Rates:
    wanted = setting(codec)
    options = {**wanted.options, "sync": sync}
    ledger = stage.create(f"{codec}-{time.monotonic_ns()}", replace(wanted, options=options))
    with working(stage, ledger, equal_shares()) as sites:
        shape_all(stage, link)
        time.sleep(SETTLE_SECONDS)
        began, before = time.monotonic(), _counted(stage, ledger, sites)
        time.sleep(seconds)
        after, ended = _counted(stage, ledger, sites), time.monotonic()
    rounds, *sums = (np.array(after) - before) / (ended - began)
    training, beside, steps, size = (float(one) / len(sites) for one in sums)
    return _Rates(
        rounds=float(rounds),
        training=training,
        beside=beside,
        steps=steps,
        bytes=size,
        contribution_bytes=_mean_bytes(ledger, ".delta"),
        commit_bytes=_mean_bytes(ledger, "/commit"),
        values=run_fragments(ledger.spec)[0].values,
    )


def _mean_bytes(ledger: Ledger, end: str) -> float:
    put = ledger.store.list("rounds")
    return mean(info.size_bytes for info in put if info.key.endswith(end))


def _counted(
    stage: Stage, ledger: Ledger, sites: Sequence[Site]
) -> tuple[float, float, float, float, float]:
    """Commits, seconds of a core that trained and beside, inner steps, bytes: since the start."""
    cores = [site.core_seconds() for site in sites]
    steps = sum(beat.step for beat in beats(ledger, SITES).values())
    training, beside = (sum(parts) for parts in zip(*cores, strict=True))
    return len(ledger.rounds()[0]), training, beside, steps, stage.network.total_bytes()


def _figures(found: Sequence[_Rates]) -> Iterator[tuple[str, float]]:
    rounds = [one.rounds for one in found]
    beside = np.polyfit(rounds, [one.beside for one in found], 1)
    step = np.polyfit(rounds, [one.training / one.steps for one in found], 1)
    usual = found[1]
    yield "core_share_at_rest", round(float(beside[1]), 4)
    yield "core_ms_a_round", round(1000 * float(beside[0]), 1)
    yield "training_core_ms_a_round", round(1000 * float(step[0] * usual.steps), 1)
    yield "busy_share_of_used", round(_busy(found), 4)
    yield "bits_a_parameter", round(8 * usual.contribution_bytes / usual.values, 3)
    yield "commit_to_contribution", round(usual.commit_bytes / usual.contribution_bytes, 3)
    yield "bytes_a_second_at_rest", round(float(np.polyfit(rounds, [o.bytes for o in found], 1)[1]))


def _busy(found: Sequence[_Rates]) -> float:
    """Inner steps for the same processor time at the usual H, beside those that hardly exchange."""
    usual, resting = (one.steps / (one.training + one.beside) for one in found[1:])
    return usual / resting
