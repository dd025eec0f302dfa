"""How often a site can sync, from what it measures."""

import pytest

from archipel.ledger.tempo import Counters, LinkRates, Tempo, sync_steps

FAST = LinkRates(up=1e9, down=1e9)


def after(seconds: float, counters: Counters, cores: int = 1) -> Tempo:
    """A site that has used this much since it started."""
    tempo = Tempo(cores)
    tempo.note(0.0, Counters(0, 0, 0.0, 0.0))
    tempo.note(seconds, counters)
    return tempo


def test_nothing_is_known_before_a_whole_sync() -> None:
    assert Tempo(1).sync_seconds(FAST) == 0.0
    assert after(5.0, Counters(10_000, 10_000, 1.0, 0.75)).sync_seconds(FAST) == 0.0


@pytest.mark.parametrize(
    ("link", "seconds"),
    [
        (LinkRates(up=1_000.0, down=1e9), 12.5),  # 10,000 bytes at 80 % of 1,000 a second
        (LinkRates(up=1e9, down=1_000.0), 25.0),
        (LinkRates(up=0.0, down=0.0), 0.5),  # unknown: the cores decide
        (FAST, 0.5),
    ],
)
def test_the_scarcest_thing_decides(link: LinkRates, seconds: float) -> None:
    tempo = after(30.0, Counters(bytes_out=20_000, bytes_in=40_000, cpu_seconds=0.04, cycles=2.0))
    assert tempo.sync_seconds(link) == pytest.approx(seconds)


def test_more_cores_bear_more_syncs() -> None:
    counters = Counters(bytes_out=0, bytes_in=0, cpu_seconds=8.0, cycles=2.0)
    assert after(30.0, counters, cores=16).sync_seconds(FAST) == pytest.approx(4.0 / 0.64)


def test_what_was_longer_ago_than_a_minute_counts_no_more() -> None:
    tempo = Tempo(1)
    tempo.note(0.0, Counters(0, 0, 0.0, 0.0))
    tempo.note(10.0, Counters(10**9, 10**9, 100.0, 1.0))  # joining
    for second in range(20, 100, 10):
        cycles = 1.0 + second / 10
        tempo.note(float(second), Counters(10**9, 10**9, 100.0 + 0.004 * cycles, cycles))
    assert tempo.sync_seconds(FAST) == pytest.approx(0.1)


def test_h_is_the_runs_own_or_what_fills_the_interval() -> None:
    assert sync_steps(30, slowest_seconds=100.0, step_seconds=0.1) == 30
    assert sync_steps(None, slowest_seconds=1.05, step_seconds=0.1) == 11
    assert sync_steps(None, slowest_seconds=0.0, step_seconds=0.1) == 2
    assert sync_steps(None, slowest_seconds=5.0, step_seconds=0.0) == 2
