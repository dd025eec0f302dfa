"""The protocol among several sites in one process, without models: vectors that count tokens."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor

import numpy as np
import pytest

from archipel.errors import RunError
from archipel.ledger import InnerSpec, Ledger, OuterSpec, RunSpec
from archipel.ledger.audit import Audit, audit, read_commits
from archipel.ledger.keys import OWNER
from archipel.store import Store
from archipel.train.desk import Identity, Superseded
from archipel.train.duty import Found
from archipel.train.exchange import Exchange, Machine
from archipel.train.fragments import Fragment
from archipel.train.join import find_claims, next_session, recall_contributions
from archipel.train.mailbox import Capture, Mailbox, Report, drain, take
from archipel.train.state import GlobalState, digest
from tests.ledger.fake_keys import FakeKeys
from tests.train.inline import Inline, Later, no_witness

STEP_TOKENS = 10
FRAGMENTS = [Fragment({f"p{number}": (300,)}) for number in range(3)]
SPEC = RunSpec(
    owner="0" * 64,
    model={},
    fragments=3,
    sync_steps=6,
    inner=InnerSpec(
        learning_rate=1.0, warmup_tokens=0, batch_sequences=1, sequence_tokens=STEP_TOKENS
    ),
    outer=OuterSpec(learning_rate=0.7, momentum=0.5),
    codec="int8",
    budget_tokens=2_000,
    unit_tokens=80,
    initial_digest="0" * 64,
    corpus_digest="0" * 64,
    tokenizer_digest="0" * 64,
    epoch_units=100,
    seed=0,
    heartbeat_seconds=1.0,
    dead_after_seconds=3600.0,
    snapshot_every_cycles=2,
)


def initial_state() -> GlobalState:
    return GlobalState(SPEC, FRAGMENTS, {f"p{n}": np.zeros(300, np.float32) for n in range(3)})


class PaperSite:
    """A site whose training adds noise to its vectors; everything else is the real thing."""

    def __init__(self, ledger: Ledger, name: str, executor: Executor | None = None) -> None:
        self.name = name
        ledger = Ledger.open(ledger.store, FakeKeys(name))
        self.mailbox = Mailbox()
        state = initial_state()
        for fragment in range(SPEC.fragments):
            while found := ledger.commit(state.next_round(fragment)):
                state.apply(*found)
        session = next_session(ledger, name)
        claims = find_claims(ledger, state, name, session)
        who = Identity(name, session, f"{session}")
        machine = Machine(
            executor or Inline(),
            Inline(),
            lambda unit: None,
            no_witness,
            lambda state, optimiser: None,
        )
        self.exchange = Exchange(ledger, state, who, self.mailbox, claims, machine)
        recall_contributions(ledger, self.exchange)
        self.exchange.beat("joining")
        self.local = [vector.copy() for vector in state.parameters]
        self.base = list(state.applied)
        self.flying: set[int] = set()
        self.trained: dict[tuple[int, int], tuple[int, int]] = {}
        self.claim: tuple[tuple[int, int], int] | None = None
        self.steps = 0
        self.due = [2, 4, 6]
        self.random = np.random.default_rng(len(name))

    def train(self) -> None:
        for correction in drain(self.mailbox.corrections):
            self.local[correction.fragment] += correction.values
            self.base[correction.fragment] = correction.round
            self.flying.discard(correction.fragment)
        for key in drain(self.mailbox.settled):
            self.trained.pop(key, None)
        for fragment in range(SPEC.fragments):
            due = fragment in self.mailbox.wanted or self.steps >= self.due[fragment]
            if due and fragment not in self.flying:
                self.capture(fragment)
        self._step()

    def capture(self, fragment: int) -> None:
        capture = Capture(
            fragment, self.base[fragment], self.local[fragment].copy(), dict(self.trained), 1.0
        )
        self.mailbox.captures.put(capture)
        self.flying.add(fragment)
        self.due[fragment] = self.steps + SPEC.sync_steps

    def _step(self) -> None:
        if self.claim is None and (claim := take(self.mailbox.work)):
            self.claim = ((claim.unit, claim.generation), claim.start)
        state = "waiting"
        if self.claim:
            state = "training"
            key, at = self.claim
            start, _ = self.trained.get(key, (at, at))
            self.trained[key] = (start, at + STEP_TOKENS)
            over = at + STEP_TOKENS >= SPEC.unit_length(key[0])
            self.claim = None if over else (key, at + STEP_TOKENS)
            self.steps += 1
            for vector in self.local:
                vector += self.random.standard_normal(len(vector), np.float32)
        self.mailbox.report = Report(state=state, step=self.steps, trained=dict(self.trained))

    def meet(self, now: float) -> None:
        self.exchange.beat()
        self.exchange.tick(now)


def drive(sites: Sequence[PaperSite], *, rounds: int = 400, start: float = 0.0) -> float:
    """Let the sites train and meet in turn until all are finished; the time by then."""
    now = start
    for _ in range(rounds):
        now += 1.0
        for site in sites:
            site.train()
            site.meet(now)
        if all(site.mailbox.finished.is_set() for site in sites):
            break
    return now


def outcome(ledger: Ledger) -> Audit:
    return audit(SPEC, read_commits(ledger), finished=True)


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger.create(Store("memory:///"), SPEC, FakeKeys(OWNER))
    state = initial_state()
    ledger.put_snapshot(0, state.snapshot_files(), final=False, **state.snapshot_facts())
    return ledger


def assert_equal_everywhere(sites: Sequence[PaperSite]) -> None:
    for fragment in range(SPEC.fragments):
        assert len({digest(site.exchange.state.parameters[fragment]) for site in sites}) == 1


def test_three_sites_finish_with_the_same_parameters_and_every_token_once(ledger: Ledger) -> None:
    sites = [PaperSite(ledger, name) for name in ("a", "b", "c")]
    drive(sites)
    assert all(site.mailbox.finished.is_set() for site in sites)
    assert_equal_everywhere(sites)
    found = outcome(ledger)
    assert (found.tokens, found.duplicate_tokens, found.skipped_tokens) == (2_000, 0, 0)
    assert set(found.fragment_tokens) == {2_000}
    assert set(found.contributions) == {"a", "b", "c"}
    assert found.refused == ()


def test_a_contribution_is_fetched_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: Counter[tuple[int, str]] = Counter()
    real = Ledger.contribution

    def counted(self: Ledger, round_: int, site: str) -> Found | None:
        found = real(self, round_, site)
        fetched[round_, site] += found is not None
        return found

    executors = [Later(), Later()]
    sites = [PaperSite(ledger, name, each) for name, each in zip("ab", executors, strict=True)]
    monkeypatch.setattr(Ledger, "contribution", counted)
    now = 0.0
    while not all(site.mailbox.finished.is_set() for site in sites):
        now = drive(sites, rounds=3, start=now)
        for executor in executors:
            executor.run()
    assert outcome(ledger).contributions["a"] > 3
    assert set(fetched.values()) == {1}


def test_local_parameters_end_up_where_the_global_ones_are(ledger: Ledger) -> None:
    sites = [PaperSite(ledger, name) for name in ("a", "b")]
    drive(sites)
    for site in sites:
        site.train()
        for local, shared in zip(site.local, site.exchange.state.parameters, strict=True):
            # What is left is the codec's error, which the next contribution would have carried.
            assert np.abs(local - shared).max() < 0.5


def test_a_lone_site_trains_on_its_own(ledger: Ledger) -> None:
    site = PaperSite(ledger, "alone")
    drive([site])
    assert site.mailbox.finished.is_set()
    assert outcome(ledger).tokens == 2_000


def test_a_site_that_joins_late_is_not_taken_for_dead(ledger: Ledger) -> None:
    first = PaperSite(ledger, "first")
    now = drive([first], rounds=5)
    late = PaperSite(ledger, "late")
    drive([first, late], start=now)
    found = outcome(ledger)
    assert (found.duplicate_tokens, found.skipped_tokens) == (0, 0)
    assert found.contributions["late"] > 0
    released = [release for commit in read_commits(ledger) for release in commit.released]
    assert released == []


def test_what_no_join_needs_is_collected(ledger: Ledger) -> None:
    site = PaperSite(ledger, "alone")
    drive([site])
    assert ledger.snapshot_numbers()[0] == 0
    assert len(ledger.snapshot_numbers()) == 3
    keys = [info.key for info in ledger.store.list("rounds")]
    assert not [key for key in keys if key.endswith(".delta")]
    assert len(keys) == outcome(ledger).commits


def test_what_a_site_that_left_had_claimed_is_trained_by_the_others(ledger: Ledger) -> None:
    sites = [PaperSite(ledger, name) for name in ("a", "b", "c")]
    now = drive(sites, rounds=13)
    for fragment in set(range(SPEC.fragments)) - sites[2].flying:
        sites[2].capture(fragment)
    sites[2].exchange.leave(now, "left")
    drive(sites[:2], start=now)
    assert sites[0].mailbox.finished.is_set()
    assert_equal_everywhere(sites[:2])
    found = outcome(ledger)
    assert (found.tokens, found.duplicate_tokens, found.skipped_tokens) == (2_000, 0, 0)


@pytest.mark.parametrize("moment", range(9, 16))
def test_a_site_killed_at_any_moment_comes_back_without_a_token_twice(
    ledger: Ledger, moment: int
) -> None:
    sites = [PaperSite(ledger, name) for name in ("a", "b")]
    now = drive(sites, rounds=moment)
    sites[1].train()  # it dies with captures on their way and work in hand
    sites[1] = PaperSite(ledger, "b")
    assert sites[1].exchange.who.session == 1
    drive(sites, start=now)
    assert all(site.mailbox.finished.is_set() for site in sites)
    assert_equal_everywhere(sites)
    found = outcome(ledger)
    assert (found.tokens, found.duplicate_tokens, found.skipped_tokens) == (2_000, 0, 0)


def test_a_claim_that_is_damaged_at_rest_costs_no_token(ledger: Ledger) -> None:
    sites = [PaperSite(ledger, name) for name in ("a", "b")]
    now = drive(sites, rounds=3)
    key = next(info.key for info in ledger.store.list("claims"))
    ledger.store.put(key, b"{")
    for _ in range(40):
        try:
            now = drive(sites, rounds=20, start=now)
        except Superseded:
            sites = [PaperSite(ledger, name) for name in ("a", "b")]
    assert all(site.mailbox.finished.is_set() for site in sites)
    assert_equal_everywhere(sites)
    found = outcome(ledger)
    assert (found.tokens, found.duplicate_tokens, found.skipped_tokens) == (2_000, 0, 0)


def test_two_processes_under_one_name_the_older_one_stops(ledger: Ledger) -> None:
    old = PaperSite(ledger, "a")
    drive([old], rounds=2)
    new = PaperSite(ledger, "a")
    drive([new], rounds=2)
    with pytest.raises(RunError, match="another process has joined as 'a'"):
        old.exchange.tick(9.0)


def test_a_site_that_was_cut_off_merges_on_return_what_it_trained(ledger: Ledger) -> None:
    here, away = PaperSite(ledger, "here"), PaperSite(ledger, "away")
    now = drive([here, away], rounds=4)
    away.exchange.beat("left")  # as the others see a site whose heartbeat is too old
    for _ in range(6):
        away.train()
    now = drive([here], rounds=60, start=now)
    drive([here, away], start=now)
    assert all(site.mailbox.finished.is_set() for site in (here, away))
    found = outcome(ledger)
    assert (found.tokens, found.duplicate_tokens, found.skipped_tokens) == (2_000, 0, 0)
    assert [release for commit in read_commits(ledger) for release in commit.released] == []
    merged = [header for commit in read_commits(ledger) for header in commit.merged]
    assert {header.session for header in merged} == {0}
    assert max(header.spans for header in merged if header.site == "away") > 10
    assert {header.spans for header in merged if header.site == "here"} == {1}


def test_a_site_that_was_released_while_away_joins_again(ledger: Ledger) -> None:
    here, away = PaperSite(ledger, "here"), PaperSite(ledger, "away")
    now = drive([here, away], rounds=4)
    away.exchange.beat("left")
    while not any(commit.released for commit in read_commits(ledger)):
        now = drive([here], rounds=1, start=now)
        assert now < 400
    with pytest.raises(Superseded):
        drive([away], rounds=40, start=now)
    drive([here, PaperSite(ledger, "away")], start=now)
    found = outcome(ledger)
    assert (found.tokens, found.duplicate_tokens, found.skipped_tokens) == (2_000, 0, 0)


def test_a_damaged_contribution_is_refused_by_name(ledger: Ledger) -> None:
    sites = [PaperSite(ledger, name) for name in ("a", "b", "c")]
    ledger.store.put("rounds/00000000/c.delta", b"ARCP" + b"\0" * 100)
    try:
        drive(sites)
    except Superseded:
        sites = [PaperSite(ledger, name) for name in ("a", "b", "c")]
        drive(sites)
    commit = ledger.commit(0)
    assert commit is not None
    assert [refusal.site for refusal in commit[0].refused] == ["c"]
    found = outcome(ledger)
    assert (found.tokens, found.duplicate_tokens, found.skipped_tokens) == (2_000, 0, 0)
