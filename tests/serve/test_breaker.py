"""The circuit breaker, through every course of events up to a length; the retry budget."""

import itertools

import pytest

from archipel.serve.breaker import Breaker, RetryBudget

_SHORT, _LONG = 1.0, 3600.0


@pytest.mark.parametrize("failures", [0, 4])
def test_in_every_course_of_events_one_probe_at_a_time_and_a_success_closes(failures: int) -> None:
    for events in itertools.product("sfaw", repeat=7):  # success, failure, abandoned, wait
        breaker, now, in_a_row = Breaker(failures), 0.0, failures
        for event in events:
            if event == "w":
                now += _LONG
                assert breaker.admits(now)
                continue
            now += _SHORT
            if not breaker.admits(now):
                assert in_a_row >= 5
                continue
            breaker = breaker.begun()
            assert not breaker.pauses or not breaker.admits(now)  # a second one waits for the probe
            if event == "s":
                breaker, in_a_row = breaker.succeeded(), 0
                assert breaker == Breaker()
            elif event == "f":
                breaker, in_a_row = breaker.failed(now), in_a_row + 1
                assert breaker.admits(now) == (in_a_row < 5)
            else:
                breaker = breaker.abandoned()
                assert breaker.admits(now)


def test_pauses_double_up_to_a_minute() -> None:
    breaker, pauses = Breaker(failures=4), []
    now = 0.0
    for _ in range(6):
        breaker = breaker.begun().failed(now)
        pauses.append(breaker.until - now)
        assert not breaker.admits(breaker.until - 0.001)
        now = breaker.until
    assert pauses == [5, 10, 20, 40, 60, 60]


def test_it_says_how_it_stands() -> None:
    breaker = Breaker(failures=3).failed(0.0)
    assert breaker.state(0.0) == "closed"
    breaker = breaker.failed(0.0)
    assert (breaker.state(4.9), breaker.state(5.0)) == ("open", "half_open")
    assert breaker.begun().state(5.0) == "half_open"
    assert breaker.begun().succeeded().state(5.0) == "closed"


def test_failures_of_what_was_under_way_do_not_lengthen_a_pause() -> None:
    breaker = Breaker(failures=4).failed(100.0)
    assert breaker.failed(101.0) == breaker


def test_retries_are_a_share_of_the_questions_after_the_burst() -> None:
    budget, sent = RetryBudget(share=0.25, burst=10, left=10), 0
    for _ in range(1000):
        budget = budget.asked()
        if after := budget.spent():
            budget, sent = after, sent + 1
    assert 250 <= sent <= 260
