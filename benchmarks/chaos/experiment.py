"""The chaos run and the same run undisturbed, side by side; then the figures.

Same seed, data, budget, and as many sites with the same share of the CPU, on the same machine.
"""

import json
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

from archipel.ledger import Ledger
from archipel.ledger.audit import read_commits
from archipel.train.export import measure
from archipel.train.join import load_snapshot, load_state
from archipel.train.start import open_corpus
from archipel.train.state import GlobalState
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
_START_SECONDS = 300.0
_MEASURE_SECONDS = 20.0
_BUDGET_SHARE = 0.7  # of what undisturbed sites would train while faults come
_PATIENCE = 1.15  # times the minutes, after which a run is ended where it is


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line asks for."""

    minutes: float
    per_hour: float
    seed: int
    share: float  # of a core, a site
    tokens: int | None  # the budget; None: what can be trained in the time, as measured
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
        tokens = options.tokens or int(
            _BUDGET_SHARE * 60 * options.minutes * _tokens_per_second(stage, options)
        )
        setting = _setting(tokens, options.seed)
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
    seconds = 60 * options.minutes
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=1))
        sites, calm_sites = stack.enter_context(_working(stage, {chaos: _SITES, calm: _CALM}))
        calm_watch = Watch(calm, calm_sites, options.share)
        stack.callback(calm_watch.stop.set)
        undisturbed = pool.submit(calm_watch.run, _PATIENCE * seconds, None, ())
        acts = Acts(stage.network, sites, chaos)
        watch = Watch(chaos, sites, options.share, pace_seconds=seconds)
        trial = watch.run(_PATIENCE * seconds, acts, faults)
        _end(sites)
        calm_watch.stop.set()
        undisturbed.result()
        _end(calm_sites)
    return _figures(stage, chaos, trial, acts) | _compare(stage, chaos, calm)


def _setting(tokens: int, seed: int) -> Setting:
    """Half a million parameters: a round every second or two at a third of a core a site."""
    options: dict[str, object] = {"heartbeat": 1, "seed": seed, "learning-rate": 2e-3, "sync": 30}
    return Setting(hidden=96, layers=4, batch=4, sequence=64, tokens=tokens, options=options)


@contextmanager
def _working(stage: Stage, runs: Mapping[Ledger, Sequence[str]]) -> Iterator[list[list[Site]]]:
    """The sites of each run at work, each with a small disk; none outlives the context."""
    sites = [[stage.site(ledger, name) for name in names] for ledger, names in runs.items()]
    everyone = list(chain.from_iterable(sites))
    with small_disks(everyone, _DISK_MEGABYTES):
        try:
            for site in everyone:
                site.start()
            for ledger, its in zip(runs, sites, strict=True):
                wait_until("all sites train", all_train(ledger, its), its, _START_SECONDS)
            yield sites
        finally:
            for site in everyone:
                site.kill()


def _tokens_per_second(stage: Stage, options: Options) -> float:
    """What four undisturbed sites train together with that share of the CPU."""
    ledger = stage.create("rate", _setting(100_000_000, options.seed))
    with _working(stage, {ledger: _CALM}) as (sites,):
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
    """Both losses on held-out text, at equal tokens.

    The run that came further is taken where the commits had covered what the other has.
    """
    tokens = min(load_state(ledger).cover.tokens for ledger in (chaos, calm))
    states = [_state_at(ledger, tokens) for ledger in (chaos, calm)]
    held_out = open_corpus(chaos, stage.corpus, "held_out")
    losses = [measure(state, held_out) for state in states]
    assert losses[0] is not None
    assert losses[1] is not None
    return {
        "loss": round(losses[0], 4),
        "undisturbed_loss": round(losses[1], 4),
        "loss_ratio": round(losses[0] / losses[1], 4),
        "loss_at_tokens": [state.cover.tokens for state in states],
    }


def _state_at(ledger: Ledger, tokens: int) -> GlobalState:
    """The global parameters once commits covered so many tokens, from the first snapshot on."""
    state = load_snapshot(ledger, 0)
    rounds = sorted(commit.round for commit in read_commits(ledger))
    for round_ in rounds:
        if state.cover.tokens >= tokens:
            break
        found = ledger.commit(round_)
        assert found is not None
        state.apply(*found)
    return state
