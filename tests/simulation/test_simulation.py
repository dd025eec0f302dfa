"""Hundreds of simulated runs; that a seed replays exactly; that a broken protocol is found out."""

import hashlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from archipel.ledger import Commit, Contribution, Cover, Ledger, duty
from archipel.train import chain, neighbours
from archipel.train.accounts import Accounts
from archipel.train.claims import Claims
from archipel.train.exchange import Exchange
from archipel.train.mailbox import Correction
from archipel.train.merge import Merge
from archipel.train.state import GlobalState
from tests.simulation import __main__ as command
from tests.simulation.bucket import Bucket, Client
from tests.simulation.clock import Clock, Event, Process
from tests.simulation.world import Verdict, simulate

ROOT = Path(__file__).parents[2]
MOST_SEEDS = 150  # within which every mutant must be found


def run_command(*arguments: str, hash_seed: int = 0) -> list[str]:
    """What the command prints, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout.splitlines()


@pytest.mark.timeout(600)
def test_no_invariant_breaks() -> None:
    figures = json.loads(run_command("--seeds", "200", "--jobs", "2")[-1])
    assert (figures["schedules"], figures["violations"]) == (200, 0)
    assert figures["commits"] > 2_000


@pytest.mark.parametrize("seed", [5, 11])
def test_a_seed_replays_exactly(seed: int) -> None:
    first: list[str] = []
    again: list[str] = []
    assert simulate(seed, first.append) == simulate(seed, again.append)
    assert first == again
    assert len(first) > 300


def test_a_seed_replays_exactly_in_another_process() -> None:
    here: list[str] = []
    simulate(11, here.append)
    printed = run_command("--seed", "11", "--trace", hash_seed=1234)
    assert json.loads(printed[-1])["violations"] == 0
    assert _digest(printed[:-1]) == _digest(here)


def test_a_wait_that_rounding_would_lose_ends() -> None:
    clock = Clock()
    clock.now = 40.2
    process = Process(clock, "athens", offset=-36.4)
    until, waits = math.nextafter(process.monotonic(), math.inf), 0

    def wait() -> None:
        nonlocal waits
        while process.monotonic() < until and waits < 10:
            Event(process).wait(until - process.monotonic())
            waits += 1

    process.spawn(wait)
    clock.run(50.0)
    assert waits == 1


def test_two_seeds_differ() -> None:
    traces: list[list[str]] = [[], []]
    for seed, trace in enumerate(traces):
        simulate(seed, trace.append)
    assert _digest(traces[0]) != _digest(traces[1])


def test_the_command_names_the_seed_that_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def simulate(seed: int) -> Verdict:
        return Verdict(seed, "two commits" if seed == 8 else None, 1.0, 1, 1)

    monkeypatch.setattr(command, "simulate", simulate)
    assert command.main(["--start", "5", "--seeds", "4", "--jobs", "1"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "seed 8: two commits" in lines
    assert any(line.endswith("--seed 8 --trace") for line in lines)
    last = json.loads(lines[-1])
    assert (last["schedules"], last["violations"]) == (4, 1)
    assert last["seconds"] >= 0
    assert command.main(["--seeds", "4", "--jobs", "1"]) == 0


# Mutants: each breaks one rule of the protocol. Named after what it does, beside what is found.


def put_over_the_first(patch: pytest.MonkeyPatch) -> None:
    def create(self: Bucket, key: str, data: bytes, by: Client) -> bool:
        self.put(key, data, by)
        return True

    patch.setattr(Bucket, "create", create)


def believe_to_have_decided(patch: pytest.MonkeyPatch) -> None:
    real = Ledger.put_commit

    def put_commit(self: Ledger, header: Commit, payload: bytes) -> bool:
        real(self, header, payload)
        return True

    patch.setattr(Ledger, "put_commit", put_commit)


def forget_releases(patch: pytest.MonkeyPatch) -> None:
    real = Cover.apply
    patch.setattr(
        Cover,
        "apply",
        lambda self, commit: real(self, commit.model_copy(update={"released": ()})),
    )


def take_twice(patch: pytest.MonkeyPatch) -> None:
    real = Merge.take

    def take(self: Merge, *contribution: Any) -> None:
        real(self, *contribution)
        patch_check = pytest.MonkeyPatch()
        with patch_check.context() as once:
            once.setattr(Merge, "_check", lambda self, header: None)
            real(self, *contribution)

    patch.setattr(Merge, "take", take)


def weigh_all_alike(patch: pytest.MonkeyPatch) -> None:
    from archipel.train.codec import codec_named

    codec = type(codec_named("none"))
    real = codec.combine

    def combine(self: Any, parts: Any, *rest: Any) -> Any:
        return real(self, [(1, payload) for _, payload in parts], *rest)

    patch.setattr(codec, "combine", combine)


def forget_the_rounds_it_missed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(chain, "Contribution", lambda **values: Contribution(**values | {"spans": 1}))


def claim_what_is_claimed(patch: pytest.MonkeyPatch) -> None:
    real = Ledger.put_claim

    def put_claim(self: Ledger, claim: Any) -> bool:
        real(self, claim)
        return True

    patch.setattr(Ledger, "put_claim", put_claim)


def forget_claims_whose_reply_was_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Claims, "_left_over", lambda self, cover: None)


def send_what_was_merged_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Accounts, "merged", lambda self, fragment, trained: [])


def give_sites_up_at_once(patch: pytest.MonkeyPatch) -> None:
    def alive(sightings: Any, *, now: Any, dead_after: timedelta) -> Any:
        return duty.alive(sightings, now=now, dead_after=dead_after / 4)

    patch.setattr(neighbours, "alive", alive)


def never_give_a_site_up(patch: pytest.MonkeyPatch) -> None:
    def alive(sightings: Any, *, now: Any, dead_after: timedelta) -> Any:
        return {site: seen.heartbeat for site, seen in sightings.items()}

    patch.setattr(neighbours, "alive", alive)


def correct_wrongly(patch: pytest.MonkeyPatch) -> None:
    real = Correction.__init__

    def init(self: Correction, fragment: int, round: int, values: Any) -> None:
        real(self, fragment, round, values * 0.5)

    patch.setattr(Correction, "__init__", init)


def snapshot_with_the_wrong_momentum(patch: pytest.MonkeyPatch) -> None:
    real = GlobalState.copy

    def copy(self: GlobalState) -> GlobalState:
        twin = real(self)
        twin.momentum = [vector * 0.5 for vector in twin.momentum]
        return twin

    patch.setattr(GlobalState, "copy", copy)


def end_before_all_is_merged(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Cover, "complete", property(lambda self: self.tokens > 0.8 * _budget(self)))


def delete_before_it_is_decided(patch: pytest.MonkeyPatch) -> None:
    real = Ledger.delete_contributions
    patch.setattr(
        Ledger,
        "delete_contributions",
        lambda self, rounds: real(self, (round_ + self.spec.fragments for round_ in rounds)),
    )


def stop_looking(patch: pytest.MonkeyPatch) -> None:
    real = Exchange._follow_all

    def follow(self: Exchange, now: float) -> Any:
        return real(self, now) if self._ticks < 40 else None

    patch.setattr(Exchange, "_follow_all", follow)


MUTANTS: dict[Callable[[pytest.MonkeyPatch], None], str] = {
    put_over_the_first: "was decided before",
    believe_to_have_decided: "differs from the commits|should be",
    forget_releases: "does not continue|releases|not finished",
    take_twice: "twice",
    weigh_all_alike: "moves by",
    forget_the_rounds_it_missed: "spans",
    claim_what_is_claimed: "on a calm day|whose claim is|not finished",
    forget_claims_whose_reply_was_lost: "not finished",
    send_what_was_merged_again: "on a calm day|not finished|says",
    give_sites_up_at_once: "never was silent|on a calm day",
    never_give_a_site_up: "not finished",
    correct_wrongly: "should be",
    snapshot_with_the_wrong_momentum: "another momentum",
    end_before_all_is_merged: "final before|audit",
    delete_before_it_is_decided: "before the round's commit",
    stop_looking: "not finished|without a commit",
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_protocol_is_found_out(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    for seed in count():
        assert seed < MOST_SEEDS, "nothing was found"
        if violation := simulate(seed).violation or "":
            break
    assert any(reason in violation for reason in MUTANTS[mutant].split("|")), violation


def _budget(cover: Cover) -> int:
    return cover.spec.budget_tokens


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
