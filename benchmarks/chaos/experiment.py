"""The chaos run and the same run undisturbed, side by side; then the figures.

Same seed, data, budget, and as many sites with the same share of the CPU, on the same machine.
"""

import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from archipel.ledger import Ledger
from archipel.ledger.audit import read_commits
from archipel.train.export import measure
from archipel.train.join import load_state
from archipel.train.start import open_corpus
from benchmarks.chaos.acts import Acts, available, small_disks
from benchmarks.chaos.figures import Round, report, shares
from benchmarks.chaos.schedule import SECONDS, Fault, draw
from benchmarks.chaos.trial import Trial, Watch
from benchmarks.network import Link, Network, Site
from benchmarks.network.points import digests_equal_share, tokens_between
from benchmarks.network.stage import Setting, Stage, all_train, points, wait_until

_SITES = ("athens", "bergen", "cadiz", "delft")
_CALM = tuple(f"calm-{site}" for site in _SITES)  # of the undisturbed run
_LINK = Link(megabits_per_second=50, round_trip_ms=30)
_DISK_MEGABYTES = 96
_START_SECONDS = 180.0
_MEASURE_SECONDS = 20.0
_BUDGET_SHARE = 0.92  # of what undisturbed sites would train while faults come
_PATIENCE = 1.5  # times the minutes, after which a run is ended where it is


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line asks for."""

    minutes: float
    per_hour: float
    seed: int
    share: float  # of a core, a site
    logs: Path | None


def experiment(options: Options, folder: Path) -> dict[str, Any]:
    """Both runs on one network, and what came of them."""
    kinds = available(list(SECONDS))
    faults = draw(
        _SITES, kinds, minutes=options.minutes, per_hour=options.per_hour, seed=options.seed
    )
    with Network(_SITES + _CALM, folder / "store.log", faulty=_SITES) as network:
        for site in network.sites:
            network.shape(site, _LINK)
        stage = Stage(network, folder, vocab_size=512)
        rate = _tokens_per_second(stage, options)
        setting = _setting(int(_BUDGET_SHARE * 60 * options.minutes * rate), options.seed)
        try:
            return {
                "sites": len(_SITES),
                "minutes": options.minutes,
                **_both(stage, setting, options, faults),
            }
        finally:
            if options.logs:
                options.logs.mkdir(parents=True, exist_ok=True)
                for log in folder.glob("*.log"):
                    shutil.copy(log, options.logs)


def _both(
    stage: Stage, setting: Setting, options: Options, faults: Sequence[Fault]
) -> dict[str, Any]:
    """Both runs at the same time, and what came of them."""
    chaos, calm = stage.create("chaos", setting), stage.create("calm", setting)
    seconds = _PATIENCE * 60 * options.minutes
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=1))
        calm_sites = stack.enter_context(_working(stage, calm, _CALM))
        sites = stack.enter_context(_working(stage, chaos, _SITES))
        calm_watch = Watch(calm, calm_sites, options.share)
        stack.callback(calm_watch.stop.set)
        undisturbed = pool.submit(calm_watch.run, seconds, None, ())
        acts = Acts(stage.network, sites, chaos)
        trial = Watch(chaos, sites, options.share).run(seconds, acts, faults)
        _end(sites)
        calm_seconds = undisturbed.result().seconds
        _end(calm_sites)
    figures = _figures(stage, chaos, trial, acts)
    return figures | _compare(stage, chaos, calm) | {"undisturbed_seconds": round(calm_seconds)}


def _setting(tokens: int, seed: int) -> Setting:
    """Half a million parameters: a round every second or two at a third of a core a site."""
    options: dict[str, object] = {"heartbeat": 1, "seed": seed, "learning-rate": 2e-3, "sync": 30}
    return Setting(hidden=96, layers=4, batch=4, sequence=64, tokens=tokens, options=options)


@contextmanager
def _working(stage: Stage, ledger: Ledger, names: Sequence[str]) -> Iterator[list[Site]]:
    """The sites at work, each with a small disk of its own; none outlives the context."""
    sites = [stage.site(ledger, name) for name in names]
    with small_disks(sites, _DISK_MEGABYTES):
        try:
            for site in sites:
                site.start()
            wait_until("all sites train", all_train(ledger, sites), sites, _START_SECONDS)
            yield sites
        finally:
            for site in sites:
                site.kill()


def _tokens_per_second(stage: Stage, options: Options) -> float:
    """What four undisturbed sites train together with that share of the CPU."""
    ledger = stage.create("rate", _setting(100_000_000, options.seed))
    with _working(stage, ledger, _CALM) as sites:
        for site in sites:
            site.limit(options.share)
        time.sleep(_MEASURE_SECONDS / 2)
        since = time.time()
        time.sleep(_MEASURE_SECONDS)
        until = time.time()
        time.sleep(_MEASURE_SECONDS / 2)  # the metrics arrive
    tokens = sum(tokens_between(points(ledger, name), since, until) for name in _CALM)
    print(f"{tokens / (until - since):,.0f} tokens/s undisturbed", file=sys.stderr)
    return tokens / (until - since)


def _end(sites: Sequence[Site]) -> None:
    """Ctrl-C at every site that is still at work: what it trained is handed in."""
    for site in sites:
        site.interrupt()
    for site in sites:
        site.end()


def _figures(stage: Stage, ledger: Ledger, trial: Trial, acts: Acts) -> dict[str, Any]:
    commits = read_commits(ledger)
    times = {
        int(info.key.split("/")[1]): info.modified.timestamp()
        for info in ledger.store.list("rounds")
        if info.key.endswith("/commit")
    }
    rounds = [
        Round(commit.round, times[commit.round], frozenset(h.site for h in commit.merged))
        for commit in commits
    ]
    rounds.sort(key=lambda round_: round_.time)
    grace = median(trial.graces)
    participation = shares(rounds, trial.samples, acts.disturbances, grace)
    metrics = {site: points(ledger, site) for site in _SITES}
    audited = json.loads(stage.archipel("run", "audit", ledger.store.url, "--json", codes=(0, 1)))
    return {
        **report(acts.done, rounds, participation),
        "duplicate_tokens": audited["duplicate_tokens"],
        "skipped_tokens": audited["skipped_tokens"],
        "finished": audited["finished"],
        "tokens": audited["tokens"],
        "budget_tokens": ledger.spec.budget_tokens,
        "seconds": round(trial.seconds),
        "grace_seconds": round(grace, 2),
        "digests_equal_share": digests_equal_share(
            {commit.round: commit.digest for commit in commits}, metrics
        ),
        "rounds_by_merge_duty": audited["merged_by"],
        "contributions_by_site": audited["contributions"],
        "sites_that_ended_by_themselves": trial.ended_by_themselves,
    }


def _compare(stage: Stage, chaos: Ledger, calm: Ledger) -> dict[str, Any]:
    """Both losses on held-out text; at equal tokens where both runs are finished."""
    disturbed, undisturbed = load_state(chaos), load_state(calm)
    held_out = open_corpus(chaos, stage.corpus, "held_out")
    losses = [measure(state, held_out) for state in (disturbed, undisturbed)]
    assert losses[0] is not None
    assert losses[1] is not None
    return {
        "loss": round(losses[0], 4),
        "undisturbed_loss": round(losses[1], 4),
        "loss_ratio": round(losses[0] / losses[1], 4),
        "undisturbed_tokens": undisturbed.cover.tokens,
    }
