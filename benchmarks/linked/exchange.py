"""Bytes per token and busy share: shaped and unshaped links take turns under the same sites."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median

from archipel.ledger import Contribution, Ledger
from archipel.ledger.audit import read_commits
from archipel.train.join import run_fragments
from benchmarks.linked.common import (
    SETTLE_SECONDS,
    SITES,
    Figures,
    equal_shares,
    setting,
    shape_all,
    working,
)
from benchmarks.network import Link
from benchmarks.network.points import Point, tokens_between
from benchmarks.network.stage import Stage, beats, points


@dataclass(frozen=True)
class _Window:
    """A stretch of time under one link; bytes are on all links, both ways."""

    shaped: bool
    since: float
    until: float
    bytes: int
    rounds: tuple[dict[int, int], dict[int, int]]  # applied at its beginning and end
    busy: tuple[float, ...]  # as the sites' heartbeats say at its end


def exchange(stage: Stage, codec: str, link: Link, seconds: float, turns: int) -> Figures:
    """Bytes per token and busy share with one codec on one link."""
    ledger = stage.create(codec, setting(codec))
    with working(stage, ledger, equal_shares()) as sites:
        windows = [
            _window(stage, ledger, link if shaped else Link(), shaped, seconds)
            for _ in range(turns)
            for shaped in (False, True)
        ]
        shape_all(stage, Link())
        time.sleep(SETTLE_SECONDS)  # the metrics of the last window arrive
        for site in sites:
            site.check()
    metrics = {site: points(ledger, site) for site in SITES}
    blocking = _blocking_seconds(stage, link, _parameters(ledger))
    return {
        f"{key}_{codec}": value for key, value in _figures(ledger, windows, metrics).items()
    } | {
        f"blocking_fp16_seconds_{codec}": round(blocking, 2),
        f"blocking_fp16_busy_{codec}": _blocking_busy(ledger, windows, metrics, blocking),
    }


def _window(stage: Stage, ledger: Ledger, link: Link, shaped: bool, seconds: float) -> _Window:
    shape_all(stage, link)
    time.sleep(SETTLE_SECONDS)
    since, before, applied = time.time(), stage.network.total_bytes(), _applied(ledger)
    time.sleep(seconds)
    found = beats(ledger, SITES).values()
    return _Window(
        shaped=shaped,
        since=since,
        until=time.time(),
        bytes=stage.network.total_bytes() - before,
        rounds=(applied, _applied(ledger)),
        busy=tuple(beat.busy for beat in found),
    )


def _applied(ledger: Ledger) -> dict[int, int]:
    """The last round of each fragment that some site has applied."""
    found = beats(ledger, SITES).values()
    return {f: max(b.applied.get(f, -1) for b in found) for f in range(ledger.spec.fragments)}


def _rate(window: _Window, metrics: dict[str, list[Point]]) -> float:
    """Tokens per second of all sites together."""
    tokens = sum(tokens_between(found, window.since, window.until) for found in metrics.values())
    return tokens / (window.until - window.since)


def _figures(
    ledger: Ledger, windows: Sequence[_Window], metrics: dict[str, list[Point]]
) -> Figures:
    """The codec's figures: medians over the windows."""
    ratios, without_snapshots, steps, per_token = [], [], [], []
    ring_bytes = _ring_bytes_per_token(ledger)
    headers = _headers(ledger)
    for window in windows:
        merged = [header for header in headers if _in_window(header, window, ledger.spec.fragments)]
        h = mean(header.tokens for header in merged) / ledger.spec.inner.batch_tokens
        tokens = _rate(window, metrics) * (window.until - window.since)
        snapshots = _snapshot_bytes(ledger, window)
        per_token.append(window.bytes / tokens)
        ratios.append(ring_bytes / (window.bytes / tokens) / h)
        without_snapshots.append(ring_bytes / ((window.bytes - snapshots) / tokens) / h)
        steps.append(h)
    shaped = [window for window in windows if window.shaped]
    pairs = zip(shaped, (window for window in windows if not window.shaped), strict=True)
    busy = [_rate(slow, metrics) / _rate(free, metrics) for slow, free in pairs]
    return {
        "parameters": _parameters(ledger),
        "steps_between_syncs": round(median(steps), 1),
        "bytes_per_token": round(median(per_token), 1),
        "bytes_ratio": round(ring_bytes / median(per_token)),
        "bytes_ratio_per_h": round(median(ratios), 1),
        "bytes_ratio_per_h_without_snapshots": round(median(without_snapshots), 1),
        "busy": round(median(busy), 3),
        "busy_least": round(min(busy), 3),
        "busy_most": round(max(busy), 3),
        "busy_by_heartbeat": round(median(share for window in shaped for share in window.busy), 3),
    }


def _parameters(ledger: Ledger) -> int:
    return sum(fragment.values for fragment in run_fragments(ledger.spec))


def _ring_bytes_per_token(ledger: Ledger) -> float:
    """Of fp32 data-parallel training by ring all-reduce at these sites, on all links, both ways.

    Every step each site sends and receives 2·(M-1)/M times the gradients.
    """
    count = len(SITES)
    each_way = 2 * (count - 1) / count * 4 * _parameters(ledger)
    return 2 * each_way / ledger.spec.inner.batch_tokens


def _headers(ledger: Ledger) -> list[Contribution]:
    return [h for commit in read_commits(ledger) for h in commit.merged if h.tokens]


def _in_window(header: Contribution, window: _Window, fragments: int) -> bool:
    before, after = window.rounds
    fragment = header.round % fragments
    return before[fragment] < header.round <= after[fragment]


def _snapshot_bytes(ledger: Ledger, window: _Window) -> int:
    """Bytes of the snapshots that were put in a window."""
    return sum(
        info.size_bytes
        for info in ledger.store.list("snapshots")
        if window.since <= info.modified.timestamp() <= window.until
    )


def _blocking_seconds(stage: Stage, link: Link, parameters: int) -> float:
    """The time that a blocking exchange of the whole model in fp16 takes on the link."""
    site = SITES[0]
    stage.network.shape(site, link)
    each_way = int(2 * (len(SITES) - 1) / len(SITES) * 2 * parameters)
    words = [sys.executable, "-m", "benchmarks.network.blocking", stage.network.url("blocking")]
    done = subprocess.run(
        stage.network.command(site, "env", *_pairs(stage, site), *words, each_way, 3),
        capture_output=True,
        text=True,
        check=True,
    )
    return median(float(line) for line in done.stdout.splitlines())


def _pairs(stage: Stage, site: str) -> list[str]:
    return [f"{key}={value}" for key, value in stage.network.environment(site).items()]


def _blocking_busy(
    ledger: Ledger, windows: Sequence[_Window], metrics: dict[str, list[Point]], seconds: float
) -> float:
    """The busy share of sites that stop for such an exchange every H steps."""
    free = median(_rate(window, metrics) for window in windows if not window.shaped)
    assert ledger.spec.sync_steps is not None
    training = ledger.spec.sync_steps * ledger.spec.inner.batch_tokens * len(SITES) / free
    return round(training / (training + seconds), 3)
