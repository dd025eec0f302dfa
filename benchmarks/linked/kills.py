"""SIGKILL of a site, and of sites on merge duty, at 20 Mbit/s and 100 ms."""

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median

from archipel.ledger import Heartbeat, Ledger
from archipel.ledger.duty import grace_seconds
from benchmarks.linked.common import (
    SETTLE_SECONDS,
    SHARE,
    SLOW,
    Figures,
    equal_shares,
    setting,
    shape_all,
    working,
)
from benchmarks.network import Site
from benchmarks.network.points import Point, longest_pause
from benchmarks.network.rounds import just_opened, on_duty
from benchmarks.network.stage import Stage, beats, points, wait_until

_WATCH_SECONDS = 20.0  # before and after the kill
_WAIT_SECONDS = 120.0
_POLL_SECONDS = 0.02


def kills(stage: Stage, times: int) -> Figures:
    """Pauses of the survivors, the way back, and rounds whose merge duty died."""
    ledger = stage.create("kills", setting("int4"))
    with working(stage, ledger, equal_shares()) as sites:
        shape_all(stage, SLOW)
        time.sleep(SETTLE_SECONDS + _WATCH_SECONDS)
        victim, *survivors = sites
        killed = time.time()
        session = beats(ledger, [victim.name])[victim.name].session
        victim.kill()
        time.sleep(_WATCH_SECONDS)
        figures = _come_back(stage, ledger, victim, session)
        duty = [_kill_on_duty(ledger, sites) for _ in range(times)]
        time.sleep(SETTLE_SECONDS)
    metrics = [points(ledger, site.name) for site in survivors]
    spans = ((killed - _WATCH_SECONDS, killed), (killed, killed + _WATCH_SECONDS))
    before, after = (_longest(metrics, *span) for span in spans)
    over = [seconds - grace for seconds, grace in duty]
    return figures | {
        "survivors_step_seconds": _step_seconds(metrics, *spans[0]),
        "survivors_longest_pause_before_seconds": before,
        "survivors_longest_pause_after_seconds": after,
        "duty_killed_commit_seconds": round(median(seconds for seconds, _ in duty), 2),
        "duty_killed_grace_seconds": round(median(grace for _, grace in duty), 2),
        "duty_killed_over_grace_seconds": round(max(over), 2),
    }


def _longest(metrics: Sequence[Sequence[Point]], since: float, until: float) -> float | None:
    found = [pause for m in metrics if (pause := longest_pause(m, since, until)) is not None]
    return round(max(found), 3) if found else None


def _step_seconds(metrics: Sequence[Sequence[Point]], since: float, until: float) -> float:
    """The median time of a step, between points about a second apart."""
    found = []
    for site in metrics:
        inside = [point for point in site if since <= point.get("time", -1.0) <= until]
        trained = [point for point in inside if "step" in point]
        found += [(b["time"] - a["time"]) / (b["step"] - a["step"]) for a, b in pairwise(trained)]
    return round(float(median(found)), 3)


def _come_back(stage: Stage, ledger: Ledger, victim: Site, session: int) -> Figures:
    """Start the site that was killed again, and watch until it contributes.

    What it takes beside its download counts from when it says that it reads the run: before that,
    Python and its libraries load.
    """
    received = stage.network.bytes(victim.name)[1]
    said = victim.log.stat().st_size
    began = time.monotonic()
    victim.start()
    while b" reading " not in victim.log.read_bytes()[said:]:
        victim.check()
        time.sleep(_POLL_SECONDS)
    loaded = time.monotonic()
    training = _moment(ledger, victim, lambda beat: beat.session > session and beat.step > 0)
    downloaded = stage.network.bytes(victim.name)[1] - received
    contributed = _moment(ledger, victim, lambda beat: beat.session > session and _sent(beat))
    victim.limit(SHARE)
    assert SLOW.megabits_per_second is not None
    at_link_rate = downloaded * 8e-6 / SLOW.megabits_per_second
    return {
        "relaunch_to_reading_seconds": round(loaded - began, 2),
        "relaunch_to_first_step_seconds": round(training - began, 2),
        "relaunch_to_contribution_seconds": round(contributed - began, 2),
        "return_download_bytes": downloaded,
        "return_download_seconds": round(at_link_rate, 2),
        "return_beside_download_seconds": round(contributed - loaded - at_link_rate, 2),
    }


def _sent(beat: Heartbeat) -> bool:
    """Whether this process has contributed to a round that it had not applied yet, or since."""
    return any(round_ >= beat.applied.get(f, -1) for f, round_ in beat.contributed.items())


def _moment(ledger: Ledger, site: Site, happened: Callable[[Heartbeat], bool]) -> float:
    """When the site's heartbeat first says so (monotonic)."""

    def seen() -> bool:
        return happened(beats(ledger, [site.name])[site.name])

    wait_until(f"{site.name} is back", seen, [site], _WAIT_SECONDS)
    return time.monotonic()


def _kill_on_duty(ledger: Ledger, sites: Sequence[Site]) -> tuple[float, float]:
    """Kill the site that has to merge a round that just opened; bring it back afterwards.

    Returns the seconds from the round's opening to its commit, and the grace as the survivors'
    heartbeats measured it.
    """
    names = [site.name for site in sites]
    round_ = just_opened(ledger, names, _WAIT_SECONDS)
    opened = time.monotonic()
    victim = next(site for site in sites if site.name == on_duty(ledger, names, round_))
    victim.kill()
    live = [beat for name, beat in beats(ledger, names).items() if name != victim.name]
    grace = grace_seconds(live, ledger.spec.heartbeat_seconds)
    others = [site for site in sites if site is not victim]
    decided = f"a commit of round {round_}, whose merge duty was killed"
    wait_until(decided, lambda: bool(ledger.commit_header(round_)), others, _WAIT_SECONDS)
    seconds = time.monotonic() - opened
    session = beats(ledger, [victim.name])[victim.name].session
    victim.start()
    _moment(ledger, victim, lambda beat: beat.session > session and _sent(beat))
    victim.limit(SHARE)
    time.sleep(SETTLE_SECONDS)
    return seconds, grace
