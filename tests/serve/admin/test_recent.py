"""What suppliers gave in the last minutes, told from counters that only grow."""

from archipel.serve.admin.recent import MINUTES, Recent


def test_counts_fall_into_their_minutes_and_out_of_the_last_ones() -> None:
    now, counts = 1000.0, dict[tuple[str, str], float]()
    recent = Recent(lambda: dict(counts), lambda: now)
    recent.look()
    assert recent.minutes() == {}

    counts = {("first", "answered"): 3, ("first", "failed"): 1, ("other", "failed"): 9}
    assert recent.minutes()["first"][-1] == {"answered": 3, "failed": 1}
    for _ in range(12):  # two minutes
        now += 10
        recent.look()
    counts[("first", "answered")] = 5
    minutes = recent.minutes()["first"]
    assert minutes[-1] == {"answered": 2}
    assert sum(minute.get("answered", 0) for minute in minutes) == 5
    assert sum(minute.get("failed", 0) for minute in minutes) == 1
    for _ in range(6 * MINUTES + 6):
        now += 10
        recent.look()
    assert recent.minutes() == {}
