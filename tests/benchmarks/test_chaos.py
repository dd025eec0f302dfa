"""The chaos run's schedule and figures, without a network."""

import pytest

from benchmarks.chaos.acts import Disturbance, Done
from benchmarks.chaos.figures import Round, Sample, recoveries, report, shares
from benchmarks.chaos.poison import Outcome
from benchmarks.chaos.schedule import ONE_SITE, SECONDS, STORE_WIDE, draw

SITES = ("a", "b", "c", "d")


def test_the_same_seed_draws_the_same_faults_and_another_seed_others() -> None:
    def drawn(seed: int) -> object:
        return draw(SITES, list(SECONDS), minutes=30, per_hour=60, seed=seed)

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


@pytest.mark.parametrize("seed", range(20))
def test_a_schedule_has_every_kind_in_its_time_and_no_two_store_faults_at_once(seed: int) -> None:
    faults = draw(SITES, list(SECONDS), minutes=30, per_hour=60, seed=seed)
    assert len(faults) == 30
    assert {fault.kind for fault in faults} == set(SECONDS)
    assert [fault.at_seconds for fault in faults] == sorted(fault.at_seconds for fault in faults)
    assert all(0 < fault.at_seconds < 30 * 60 for fault in faults)
    for fault in faults:
        shortest, longest = SECONDS[fault.kind]
        assert shortest <= fault.seconds <= longest
        assert bool(fault.site) == (fault.kind in ONE_SITE)
    wide = [fault for fault in faults if fault.kind in STORE_WIDE]
    ends = [fault.at_seconds + fault.seconds for fault in wide]
    assert all(end <= later.at_seconds + 0.1 for end, later in zip(ends, wide[1:], strict=False))


def test_a_site_counts_as_live_only_where_it_was_seen_and_not_disturbed_through_the_grace() -> None:
    samples = [Sample(float(second), frozenset("abc")) for second in range(20)]
    samples[15] = Sample(15.0, frozenset("ab"))
    cut = Disturbance("cut", ("a",), 2.0, 6.5)
    rounds = [
        Round(0, 10.0, frozenset("abc")),  # all of them
        Round(1, 8.0, frozenset("bc")),  # a was cut off within its grace
        Round(2, 12.0, frozenset("ab")),  # c is missing
        Round(3, 16.0, frozenset("ab")),  # c was not seen at 15
        Round(4, 99.0, frozenset("ab")),  # nobody was looking
    ]
    found = shares(rounds, samples, [cut], grace_seconds=3.0)
    assert found == {0: 1.0, 1: 1.0, 2: pytest.approx(2 / 3), 3: 1.0}


def test_recovery_is_the_time_to_the_next_commit_with_the_site_in_it() -> None:
    done = [
        Done("kill", "a", 1.0, 5.0, None, ""),
        Done("kill", "b", 1.0, 5.0, None, ""),
        Done("store down", "", 1.0, 9.0, None, ""),
    ]
    rounds = [Round(0, 7.0, frozenset("b")), Round(1, 11.0, frozenset("ab"))]
    assert recoveries(done, rounds) == {"kill": 4.0, "store down": 2.0}


def test_the_report_counts_what_was_accepted_and_keeps_every_reason() -> None:
    done = [
        Done("poison: nan", "", 1.0, 2.0, Outcome(3, False, "not finite"), ""),
        Done("poison: stolen", "", 3.0, 4.0, Outcome(4, True, ""), ""),
        Done("cut", "a", 3.0, 4.0, None, "could not"),
    ]
    figures = report(done, [], {1: 1.0, 2: 0.5})
    assert figures["faults"] == 3
    assert (figures["poisoned"], figures["poisoned_accepted"]) == (2, 1)
    assert figures["poisoned_reasons"]["poison: nan"] == "not finite"
    assert figures["participation"] == 0.75
    assert figures["troubles"] == ["cut: could not"]
