"""When parts may go and what rate is measured, by a clock that the test moves."""

import itertools

import pytest

from archipel.store.pace import FREE_SHARE, STRETCH_SECONDS, Lane, Meter, RoundTrips

MEGABYTE = 1_000_000


def move(lane: Lane, now: float, seconds: float, size_bytes: int | None = MEGABYTE) -> float:
    """One part as soon as it may go; when it has ended."""
    now += lane.wait_seconds(now)
    lane.start(now)
    lane.finish(now + seconds, size_bytes)
    return now + seconds


def test_nothing_is_known_before_the_first_part() -> None:
    lane = Lane()
    assert lane.meter.bytes_per_second(0.0) == 0.0
    assert lane.wait_seconds(100.0) == 0.0


def test_one_part_after_the_other_leaves_a_tenth_of_the_time_free() -> None:
    lane, now = Lane(), 50.0
    for _ in range(100):
        now = move(lane, now, 2.0)
    assert 200.0 / (now - 50.0) == pytest.approx(1 - FREE_SHARE, rel=0.01)
    assert lane.meter.bytes_per_second(0.0) == pytest.approx(MEGABYTE / 2)


def test_parts_that_share_the_link_are_measured_together() -> None:
    lane = Lane()
    for _ in range(4):
        lane.start(10.0)
    for _ in range(4):
        lane.finish(14.0, MEGABYTE)
    assert lane.meter.bytes_per_second(0.0) == pytest.approx(MEGABYTE)


def test_the_round_trip_is_no_part_of_the_rate() -> None:
    meter = Meter()
    for start in range(3):
        meter.start(float(start))
        meter.finish(start + 0.3, 100_000)
    assert meter.bytes_per_second(0.1) == pytest.approx(500_000)
    assert meter.bytes_per_second(0.3) == pytest.approx(100_000 / 0.3 * 4)


def test_what_is_tiny_is_not_measured() -> None:
    meter = Meter()
    meter.start(0.0)
    meter.start(0.0)
    meter.finish(1.0, 1_000_000)
    meter.finish(5.0, 1_000)
    meter.start(10.0)
    meter.finish(15.0, 1_000)
    assert meter.bytes_per_second(0.0) == pytest.approx(1_000_000)


def test_time_in_which_nothing_moves_says_nothing_of_the_rate() -> None:
    lane = Lane()
    now = move(lane, 0.0, 1.0)
    move(lane, now + 1000.0, 1.0)
    assert lane.meter.bytes_per_second(0.0) == pytest.approx(MEGABYTE)


def test_an_outage_says_nothing_of_the_rate() -> None:
    lane = Lane()
    now = move(lane, 0.0, 1.0)
    for _ in range(20):
        now = move(lane, now, 60.0, None)
    assert lane.meter.bytes_per_second(0.0) == pytest.approx(MEGABYTE)


def test_the_rate_follows_a_link_that_changes_within_a_few_parts() -> None:
    lane, now = Lane(), 0.0
    for _ in range(30):
        now = move(lane, now, 0.1)
    for _ in range(8):
        now = move(lane, now, 4.0)
    assert lane.meter.bytes_per_second(0.0) == pytest.approx(MEGABYTE / 4)


def test_several_workers_pause_together_after_a_stretch() -> None:
    lane = Lane()
    lane.start(0.0)
    lane.start(0.0)
    lane.finish(3.0, MEGABYTE)
    assert lane.wait_seconds(3.0) == 0.0
    lane.start(3.0)
    lane.finish(STRETCH_SECONDS + 1, MEGABYTE)
    lane.finish(9.0, MEGABYTE)
    assert lane.wait_seconds(9.0) == pytest.approx(1.0)
    assert lane.meter.bytes_per_second(0.0) == pytest.approx(3 * MEGABYTE / 9)


def test_a_stretch_that_is_over_waits_for_what_is_under_way_unless_it_is_stuck() -> None:
    lane = Lane()
    now = move(lane, 0.0, 2.0) + 10.0
    lane.start(now)
    lane.start(now)
    over = now + STRETCH_SECONDS
    assert lane.wait_seconds(over - 0.1) == 0.0
    held = lane.wait_seconds(over)
    assert 2 * 2.0 < held < 30.0
    assert lane.wait_seconds(over + held) == 0.0
    lane.start(over + held)
    assert lane.wait_seconds(over + held + 1.0) == 0.0


@pytest.mark.parametrize("workers", [1, 3])
def test_a_limit_caps_the_average_rate(workers: int) -> None:
    lane = Lane(limit_bytes_per_second=MEGABYTE / 2)
    now, sent, ends = 0.0, 0, list[float]()
    while sent < 60:
        wait = lane.wait_seconds(now)
        if len(ends) == workers or (wait > 0 and ends and ends[0] < now + wait):
            now = ends.pop(0)
            lane.finish(now, MEGABYTE)
        else:
            now += wait
            lane.start(now)
            ends.append(now + 0.5)
            sent += 1
    assert now == pytest.approx(60 * 2.0, rel=0.06)


def test_the_round_trip_is_the_quickest_of_the_last_operations() -> None:
    trips = RoundTrips()
    assert trips.seconds == 0.0
    for seconds in (0.3, 0.1, 0.9):
        trips.add(seconds)
    assert trips.seconds == 0.1
    for seconds in itertools.repeat(0.5, 40):
        trips.add(seconds)
    assert trips.seconds == 0.5
