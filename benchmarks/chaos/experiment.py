"""The chaos run and the undisturbed run: same seed, data, budget and sites; then the figures."""

import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
_LINK = Link(megabits_per_second=50, round_trip_ms=30)
_DISK_MEGABYTES = 96
_START_SECONDS = 180.0
_MEASURE_SECONDS = 20.0
_BUDGET_SHARE = 0.85  # of what undisturbed sites would train while faults come
_PATIENCE = 1.4  # times the minutes, after which a run is ended where it is
_EVER = 10**12  # tokens; more than any budget


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
    with Network(_SITES, folder / "store.log", faulty=True) as network:
        for site in _SITES:
            network.shape(site, _LINK)
        stage = Stage(network, folder, vocab_size=512)
        rate = _tokens_per_second(stage, options)
        setting = _setting(int(_BUDGET_SHARE * 60 * options.minutes * rate), options.seed)
        try:
            chaos, trial, acts = _disturbed(stage, setting, options, faults)
            figures = _figures(stage, chaos, trial, acts)
            figures |= _compare(stage, setting, options, chaos)
        finally:
            if options.logs:
                options.logs.mkdir(parents=True, exist_ok=True)
                for log in folder.glob("*.log"):
                    shutil.copy(log, options.logs)
    return {"sites": len(_SITES), "minutes": options.minutes, **figures}


def _setting(tokens: int, seed: int) -> Setting:
    """Half a million parameters: a round every second or two at a third of a core a site."""
    options: dict[str, object] = {"heartbeat": 1, "seed": seed, "learning-rate": 2e-3, "sync": 30}
    return Setting(hidden=96, layers=4, batch=4, sequence=64, tokens=tokens, options=options)


@contextmanager
def _working(stage: Stage, ledger: Ledger) -> Iterator[list[Site]]:
    """The sites at work, each with a small disk of its own; none outlives the context."""
    sites = [stage.site(ledger, name) for name in _SITES]
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
    with _working(stage, ledger) as sites:
        for site in sites:
            site.limit(options.share)
        time.sleep(_MEASURE_SECONDS / 2)
        since = time.time()
        time.sleep(_MEASURE_SECONDS)
        until = time.time()
        time.sleep(_MEASURE_SECONDS / 2)  # the metrics arrive
    tokens = sum(tokens_between(points(ledger, name), since, until) for name in _SITES)
    print(f"{tokens / (until - since):,.0f} tokens/s undisturbed", file=sys.stderr)
    return tokens / (until - since)


def _disturbed(
    stage: Stage, setting: Setting, options: Options, faults: Sequence[Fault]
) -> tuple[Ledger, Trial, Acts]:
    ledger = stage.create("chaos", setting)
    with _working(stage, ledger) as sites:
        acts = Acts(stage.network, sites, ledger)
        watch = Watch(ledger, sites, options.share)
        trial = watch.run(_PATIENCE * 60 * options.minutes, _EVER, acts, faults)
        _end(sites)
    return ledger, trial, acts


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


def _compare(stage: Stage, setting: Setting, options: Options, chaos: Ledger) -> dict[str, Any]:
    """The undisturbed run up to the chaos run's tokens, and both losses on held-out text.

    It gets more of the CPU, since nothing competes with it; that changes no loss.
    """
    disturbed = load_state(chaos)
    ledger = stage.create("undisturbed", setting)
    with _working(stage, ledger) as sites:
        watch = Watch(ledger, sites, None)
        trial = watch.run(_PATIENCE * 60 * options.minutes, disturbed.cover.tokens, None, ())
        _end(sites)
    undisturbed = load_state(ledger)
    held_out = open_corpus(chaos, stage.corpus, "held_out")
    losses = [measure(state, held_out) for state in (disturbed, undisturbed)]
    assert losses[0] is not None
    assert losses[1] is not None
    return {
        "loss": round(losses[0], 4),
        "undisturbed_loss": round(losses[1], 4),
        "loss_ratio": round(losses[0] / losses[1], 4),
        "undisturbed_tokens": undisturbed.cover.tokens,
        "undisturbed_seconds": round(trial.seconds),
    }
