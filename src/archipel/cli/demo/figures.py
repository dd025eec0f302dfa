"""The demo's figures, each taken from the ledger or measured on what it holds."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from archipel.cli.demo.stage import SITES
from archipel.cli.demo.training import Story
from archipel.evaluate.loss import unigram_loss
from archipel.ledger import Commit, Ledger
from archipel.ledger.audit import audit, read_commits
from archipel.train.export import measure
from archipel.train.join import is_finished, load_snapshot
from archipel.train.start import open_corpus
from archipel.train.state import digest

_WINDOW_SECONDS = 10.0


@dataclass(frozen=True)
class Figures:
    """What the report says. Losses are in nats per token, on held-out text."""

    sites: int
    rounds: int
    tokens: int
    loss_first: float
    loss_last: float
    loss_unigram: float
    held_out: dict[int, float]  # tokens trained → loss, at each snapshot
    digests_equal: bool
    rejoined: bool
    survivors_rate_ratio: float | None  # the slower survivor's, ten seconds after / before the kill
    duplicate_tokens: int
    skipped_tokens: int
    bytes_out: int
    bytes_in: int
    seconds_to_first_step: float
    seconds_training: float

    def to_json(self) -> dict[str, Any]:
        """The report's keys."""
        return asdict(self)


def gather(ledger: Ledger, story: Story) -> Figures:
    """Read the finished run's ledger and measure its snapshots."""
    commits = read_commits(ledger)
    found = audit(ledger.spec, commits, finished=is_finished(ledger))
    held_out = _held_out(ledger)
    train, test = open_corpus(ledger, None, "train"), open_corpus(ledger, None, "held_out")
    metrics = {site: _lines(ledger, site) for site in SITES}
    times = [point["time"] for points in metrics.values() for point in points if "time" in point]
    bytes_out, bytes_in = map(sum, zip(*story.bytes_by_session.values(), strict=True))
    return Figures(
        sites=len(found.contributions),
        rounds=found.commits,
        tokens=found.tokens,
        loss_first=next(iter(held_out.values())),
        loss_last=list(held_out.values())[-1],
        loss_unigram=unigram_loss(
            train, test, vocab=int(ledger.spec.model["vocab_size"]), tokens=1_000_000
        ),
        held_out=held_out,
        digests_equal=_digests_equal(ledger, commits, metrics),
        rejoined=_rejoined(commits, story),
        survivors_rate_ratio=_survivors(metrics, story),
        duplicate_tokens=found.duplicate_tokens,
        skipped_tokens=found.skipped_tokens,
        bytes_out=bytes_out,
        bytes_in=bytes_in,
        seconds_to_first_step=round(min(times) - story.started, 1),
        seconds_training=round(max(times) - min(times), 1),
    )


def _lines(ledger: Ledger, site: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ledger.metrics(site).splitlines()]


def _held_out(ledger: Ledger) -> dict[int, float]:
    reader = open_corpus(ledger, None, "held_out")
    losses = {}
    for number in ledger.snapshot_numbers():
        state = load_snapshot(ledger, number)
        loss = measure(state, reader)
        assert loss is not None
        losses[state.cover.tokens] = loss
    return losses


def _digests_equal(
    ledger: Ledger, commits: list[Commit], metrics: dict[str, list[dict[str, Any]]]
) -> bool:
    """Whether every site had the commit's digest after each round, and a replay has them too."""
    expected = {commit.round: commit.digest for commit in commits}
    seen = [
        point["digest"] == expected[point["applied"]]
        for points in metrics.values()
        for point in points
        if "applied" in point
    ]
    replayed = load_snapshot(ledger, 0)
    for commit in commits:
        found = ledger.commit(commit.round)
        assert found is not None
        replayed.apply(*found)  # raises where the digest differs
    final = load_snapshot(ledger, ledger.snapshot_numbers()[-1])
    same = [
        digest(a) == digest(b) for a, b in zip(replayed.parameters, final.parameters, strict=True)
    ]
    return bool(seen) and all(seen) and all(same)


def _rejoined(commits: list[Commit], story: Story) -> bool:
    """Whether a commit holds a contribution of the process that came back."""
    sessions = {(h.site, h.session) for commit in commits for h in commit.merged}
    return {(story.victim, 0), (story.victim, 1)} <= sessions


def _survivors(metrics: dict[str, list[dict[str, Any]]], story: Story) -> float | None:
    """The least ratio, over the survivors, of speed after the kill to speed before it."""
    if story.killed is None:
        return None
    ratios = []
    for site in SITES:
        points = [point for point in metrics[site] if "time" in point]
        before = _rate(points, story.killed - _WINDOW_SECONDS, story.killed)
        after = _rate(points, story.killed, story.killed + _WINDOW_SECONDS)
        if site != story.victim and before and after:
            ratios.append(after / before)
    return min(ratios, default=None)


def _rate(points: list[dict[str, Any]], since: float, until: float) -> float | None:
    """Tokens per second between two moments, from the first and the last point between them."""
    inside = [point for point in points if since <= point["time"] <= until]
    if len(inside) < 2:
        return None
    first, last = inside[0], inside[-1]
    return float((last["tokens"] - first["tokens"]) / (last["time"] - first["time"]))


def training_points(ledger: Ledger) -> dict[str, list[tuple[int, float]]]:
    """Each site's training loss by the tokens of all sites together."""
    return {
        site: [(p["global_tokens"], p["loss"]) for p in _lines(ledger, site) if "loss" in p]
        for site in SITES
    }
