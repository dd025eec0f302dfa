"""Sites at speeds 1 : 2 : 4 by CPU quotas: together in one run and alone, all at once."""

import time
from contextlib import ExitStack
from dataclasses import replace

from archipel.ledger import Ledger
from archipel.ledger.audit import read_commits
from benchmarks.linked.common import SETTLE_SECONDS, SITES, Figures, setting, working
from benchmarks.network.points import tokens_between
from benchmarks.network.stage import Stage, points

_SHARES = dict(zip(SITES[:3], (0.1, 0.2, 0.4), strict=True))
_SETTING = replace(setting("int4"), batch=4)  # not links but speeds are to matter
ALONE = {name: f"{name}-alone" for name in _SHARES}


def speeds(stage: Stage, seconds: float) -> Figures:
    """The sum of the rates in one run over the sum of the solo rates, and who contributed.

    All of them run at the same time, so that what else the machine does falls on both sums.
    """
    together = stage.create("together", _SETTING)
    alone = {name: stage.create(other, _SETTING) for name, other in ALONE.items()}
    with ExitStack() as contexts:
        contexts.enter_context(working(stage, together, _SHARES))
        for name, ledger in alone.items():
            contexts.enter_context(working(stage, ledger, {ALONE[name]: _SHARES[name]}))
        since, until = _watch(seconds)
    rates = {name: _rate(together, name, since, until) for name in _SHARES}
    solo = {name: _rate(alone[name], ALONE[name], since, until) for name in _SHARES}
    merged = [header for commit in read_commits(together) for header in commit.merged]
    contributions = [sum(h.site == name for h in merged if h.tokens) for name in _SHARES]
    return {
        "speeds_solo_tokens_per_second": round(sum(solo.values())),
        "speeds_together_tokens_per_second": round(sum(rates.values())),
        "speeds_ratio": round(sum(rates.values()) / sum(solo.values()), 3),
        "speeds_slowest_share_of_tokens": round(min(rates.values()) / sum(rates.values()), 3),
        "speeds_fastest_share_of_tokens": round(max(rates.values()) / sum(rates.values()), 3),
        "speeds_least_contributions": min(contributions),
        "speeds_most_contributions": max(contributions),
    }


def _watch(seconds: float) -> tuple[float, float]:
    """Let the sites work; the beginning and the end of the time that counts."""
    time.sleep(SETTLE_SECONDS)
    since = time.time()
    time.sleep(seconds)
    until = time.time()
    time.sleep(SETTLE_SECONDS)  # the last metrics arrive
    return since, until


def _rate(ledger: Ledger, site: str, since: float, until: float) -> float:
    return tokens_between(points(ledger, site), since, until) / (until - since)
