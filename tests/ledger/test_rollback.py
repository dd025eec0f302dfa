"""Rolling back: a new era from an earlier point, exactly as it was, without some sites."""

from pathlib import Path

import numpy as np
import pytest

from archipel.errors import ConfigError, IntegrityError, RunError
from archipel.ledger import Claim, Cover, Heartbeat, Ledger, Range, RunSpec
from archipel.ledger.frame import pack_line
from archipel.ledger.invite import open_as_site
from archipel.train.join import read_snapshot
from archipel.train.rollback import Begun, Target, roll_back, state_at
from archipel.train.state import GlobalState
from tests.ledger.conftest import make_spec
from tests.ledger.written import WrittenRun


@pytest.fixture
def run(tmp_path: Path) -> WrittenRun:
    return WrittenRun(tmp_path, make_spec())


def back(run: WrittenRun, target: Target, **options: object) -> Begun:
    return roll_back(run.owner, run.fragments, target, say=lambda _: None, **options)  # type: ignore[arg-type]


def first_state(begun: Begun, run: WrittenRun) -> GlobalState:
    (number,) = begun.ledger.snapshot_numbers()
    return read_snapshot(begun.ledger, number, run.fragments)


def same(one: GlobalState, other: GlobalState) -> bool:
    pairs = zip(one.parameters + one.momentum, other.parameters + other.momentum, strict=True)
    return one.applied == other.applied and all(np.array_equal(*pair) for pair in pairs)


def test_the_state_is_the_one_that_was(run: WrittenRun) -> None:
    run.units(0, 2)
    run.snapshot()
    run.units(2, 5)
    then = run.state.copy()
    run.units(5, 7)
    begun = back(run, Target(round=4), reason="a spike")
    assert same(first_state(begun, run), then)
    assert (begun.era.number, begun.era.parent, begun.tokens) == (1, 0, 500)
    assert begun.era.rounds == (4, 1, 2, 3)
    assert Ledger.open(run.store).era == begun.era


def test_so_many_tokens_at_most(run: WrittenRun) -> None:
    run.units(0, 6)
    for tokens, rounds in ((600, 6), (599, 5), (100, 1), (99, 0)):
        _, state = state_at(run.owner, run.fragments, Target(tokens=tokens), lambda _: None)
        assert state.cover.tokens == 100 * rounds
    assert back(run, Target()).tokens == 600


def test_sites_see_the_new_era_and_go_on_in_it(run: WrittenRun) -> None:
    run.units(0, 4, ("a", "b"))
    old = run.site("a")
    assert old.newer_era() is None
    begun = back(run, Target(round=1))
    assert old.newer_era() == begun.era
    new = old.newest()
    assert new.era_number == 1
    assert new.name == "a"
    assert new.newer_era() is None
    assert new.claims() == []
    assert new.site_names() == []
    run.reopen(first_state(begun, run))
    run.units(2, 5, ("b", "a"))
    assert run.site("b").commit_header(2)
    headers = [ledger.commit_header(2) for ledger in (old, new)]
    assert [header and header.merged[0].site for header in headers] == ["a", "b"]
    assert new.commit_header(0) is None


def test_every_unit_that_was_begun_is_free_again(run: WrittenRun) -> None:
    run.round(0, {"a": (Range(unit=0, generation=0, start=0, stop=40),)})
    run.round(1, {"a": (Range(unit=5, generation=0, start=0, stop=100),)})
    run.site("a").put_claim(Claim(site="a", session=0, unit=7, generation=0, start=0))
    cover = first_state(back(run, Target()), run).cover
    assert cover.free() == [(0, 0, 40), (1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0)]
    assert cover.reach == 6
    assert cover.tokens == 140


def test_an_excluded_site_can_not_take_part(run: WrittenRun) -> None:
    run.units(0, 4, ("a", "bad"))
    bad = run.site("bad")
    back(run, Target(round=0), without=["bad"], reason="poison")
    with pytest.raises(RunError, match="without 'bad' since era 1: poison"):
        bad.newest()
    with pytest.raises(RunError, match="without 'bad'"):
        open_as_site(run.store, run.keyring, "bad")
    new = run.owner
    bad.in_era(new.era).put_heartbeat(Heartbeat(site="bad", session=0, nonce="n", state="training"))
    with pytest.raises(IntegrityError, match="excluded"):
        new.sighting("bad")
    assert bad.commit_header(1)  # what it did before is still there to be audited
    back(run, Target())
    with pytest.raises(RunError, match="without 'bad' since era 2"):
        bad.newest()


def test_one_can_go_back_further_than_the_last_rollback(run: WrittenRun) -> None:
    run.units(0, 2)
    then = run.state.copy()
    run.units(2, 6)
    begun = back(run, Target(round=4))
    run.reopen(first_state(begun, run))
    run.units(5, 8)
    begun = back(run, Target(round=1))
    assert (begun.era.number, begun.era.parent) == (2, 0)
    assert same(first_state(begun, run), then)


def test_an_interrupted_rollback_leaves_nothing_behind(run: WrittenRun) -> None:
    run.units(0, 4)
    leftover = "eras/0001/snapshots/00000009/manifest.json"
    run.store.put(leftover, b"of another attempt")
    begun = back(run, Target(round=2))
    assert begun.ledger.snapshot_numbers() == [3]
    assert run.store.get(leftover) is None


def test_only_the_owner_can(run: WrittenRun) -> None:
    run.units(0, 2)
    with pytest.raises(RunError, match="only the run's owner"):
        roll_back(run.site("a"), run.fragments, Target(), say=lambda _: None)
    with pytest.raises(ConfigError, match="'ghost' was never invited"):
        back(run, Target(), without=["ghost"])


def test_an_era_that_a_site_declares_is_none(run: WrittenRun) -> None:
    run.units(0, 2)
    begun = back(run, Target(round=0))
    key = "eras/0002.json"
    era = begun.era.model_copy(update={"number": 2})
    for forged in (
        run.store.get("eras/0001.json") or b"",
        pack_line(era.to_json(), key, run.site("a").seal),
        b"junk",
    ):
        run.store.put(key, forged)
        assert begun.ledger.newer_era() is None
        assert run.owner.era_number == 1


def test_a_cover_is_reopened_without_losing_what_it_covers(spec: RunSpec) -> None:
    cover = Cover(spec)
    cover.reopen()
    assert (cover.free(), cover.reach) == ([], 0)
