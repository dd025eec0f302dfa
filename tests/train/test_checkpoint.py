"""A site's own checkpoint: what it saves when the site comes back."""

import logging
from pathlib import Path

import numpy as np
import pytest

from archipel.ledger import Commit, Ledger
from archipel.ledger.keys import OWNER
from archipel.store import Store
from archipel.train.checkpoint import Checkpoint
from archipel.train.join import load_state, recall_history
from archipel.train.state import GlobalState
from tests.ledger.fake_keys import FakeKeys
from tests.train.test_protocol import FRAGMENTS, SPEC, PaperSite, drive, initial_state

OPTIMISER = {"step": np.array(7.0, np.float32), "p0.exp_avg": np.ones(300, np.float32)}


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A run in which one site has trained for a while."""
    monkeypatch.setattr("archipel.train.join.run_fragments", lambda spec: FRAGMENTS)
    ledger = Ledger.create(Store("memory:///"), SPEC, FakeKeys(OWNER))
    state = initial_state()
    ledger.put_snapshot(0, state.snapshot_files(), final=False, **state.snapshot_facts())
    return ledger


def same(one: GlobalState, other: GlobalState) -> bool:
    pairs = [(one.parameters, other.parameters), (one.momentum, other.momentum)]
    vectors = all(np.array_equal(a, b) for x, y in pairs for a, b in zip(x, y, strict=True))
    return vectors and one.applied == other.applied and one.cover == other.cover


def test_what_was_saved_comes_back(ledger: Ledger, tmp_path: Path) -> None:
    site = PaperSite(ledger, "a")
    drive([site], rounds=60)
    checkpoint = Checkpoint(tmp_path)
    assert checkpoint.load(SPEC, FRAGMENTS) is None
    checkpoint.save(site.exchange.state.copy(), OPTIMISER)
    found = checkpoint.load(SPEC, FRAGMENTS)
    assert found is not None
    assert same(found[0], site.exchange.state)
    assert {name: array.tolist() for name, array in found[1].items()} == {
        name: array.tolist() for name, array in OPTIMISER.items()
    }


def test_a_site_that_was_away_fetches_the_commits_since_and_not_the_model(ledger: Ledger) -> None:
    site = PaperSite(ledger, "a")
    now = drive([site], rounds=100)
    before = site.exchange.state.copy()
    drive([site], rounds=20, start=now)
    missed = sum(
        (new - old) // SPEC.fragments
        for new, old in zip(site.exchange.state.applied, before.applied, strict=True)
    )
    reader = Ledger.open(ledger.store, FakeKeys("a"))
    fetched: list[int] = []
    commit = reader.commit

    def fetch(round_: int) -> tuple[Commit, memoryview] | None:
        if found := commit(round_):
            fetched.append(round_)
        return found

    reader.commit = fetch  # type: ignore[method-assign]
    state = load_state(reader, before)
    assert same(state, site.exchange.state)
    assert missed > 0
    assert len(fetched) <= missed + 1


@pytest.mark.parametrize("place", [40, 3_000])
def test_a_damaged_checkpoint_is_done_without(
    ledger: Ledger, tmp_path: Path, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = Checkpoint(tmp_path)
    checkpoint.save(initial_state(), OPTIMISER)
    path = next(tmp_path.iterdir())
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        assert checkpoint.load(SPEC, FRAGMENTS) is None
    assert "joining from a snapshot instead" in caplog.text


def test_a_checkpoint_that_can_not_be_written_is_only_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        Checkpoint(tmp_path / "taken").save(initial_state(), OPTIMISER)
    assert "Training goes on" in caplog.text


def test_a_site_that_joins_knows_what_the_guard_judges_by(ledger: Ledger) -> None:
    site = PaperSite(ledger, "a")
    drive([site], rounds=60)
    state = load_state(ledger)
    recall_history(ledger, state)
    known = [history.payloads[-4:] for history in site.exchange.state.history]
    assert [history.payloads for history in state.history] == known
    assert all(known)
