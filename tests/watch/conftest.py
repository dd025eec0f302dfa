"""A run at work whose record the test writes."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from archipel.ledger.view import Watcher
from archipel.watch.feed import Feed
from tests.ledger.paper import PaperRun, applied, committed, point

REASON = "its norm is 113 times the others' \x1b[31m<b>"


@pytest.fixture
def run(tmp_path: Path) -> PaperRun:
    """Two sites at work and one that was refused, half way; 40 rounds of two fragments."""
    run = PaperRun(tmp_path / "run", sites=("paris", "tokyo", "eve"))
    for number in range(40):
        tokens = 12_500 * (number + 1)
        by, other = ("paris", "tokyo") if number % 2 == 0 else ("tokyo", "paris")
        refused = [("eve", REASON)] if number in (10, 30) else []
        told = committed(number, by, [by] if number == 20 else [by, other], refused)
        facts = {"bytes_out": 2 * tokens, "bytes_in": 3 * tokens}
        run.metrics(by, point(tokens, **facts), applied(number, by), told)
        run.metrics(other, point(tokens + 20, **facts), applied(number, by))
    for site in ("paris", "tokyo"):
        beat(run, site)
    run.beat("eve", state="left")
    return run


def beat(run: PaperRun, site: str, **facts: object) -> None:
    """A heartbeat from half way."""
    said: dict[str, object] = {
        "step": 12_500,
        "tokens": 250_000,
        "global_tokens": 500_000,
        "tokens_per_second": 800.0,
        "loss": 2.25,
        "busy": 0.96,
        "up_bytes_per_second": 1.2e6,
        "down_bytes_per_second": 3.4e6,
        "bytes_out": 1_000_000,
        "bytes_in": 1_500_000,
        "applied": {0: 38, 1: 39},
        "commits_put": 20,
        "hardware": "paper CPU, 2 threads",
    }
    run.beat(site, **said | facts)


def feed_of(run: PaperRun) -> Feed:
    """A feed that has looked at the run once."""
    watcher = Watcher(run.open())
    feed = Feed(lambda: watcher.look(datetime.now(UTC)))
    feed.refresh()
    return feed
