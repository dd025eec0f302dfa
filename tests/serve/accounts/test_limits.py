"""Limits: whatever requests do, no counter passes its limit, and what they don't use comes back."""

from datetime import UTC, datetime
from itertools import product

import pytest

from archipel.serve.accounts.limits import (
    Charge,
    Limit,
    Need,
    Per,
    charges,
    given_back,
    left,
    period,
    seconds_left,
    without_room,
)

NOW = datetime(2026, 12, 31, 23, 59, 30, tzinfo=UTC).timestamp()
LIMITS = (
    Limit(1, "key", "tokens", "minute", 5),
    Limit(2, "project", "requests", "day", 2),
    Limit(3, "project", "concurrent", "moment", 1),
    Limit(4, "organisation", "money", "month", 7),
)


def test_every_course_of_requests_keeps_within_all_limits() -> None:
    """a, b and c ask for more and more; s settles the oldest, which took half."""
    for acts in product("abcs", repeat=6):
        books = _Books()
        for act in acts:
            books.settle_oldest() if act == "s" else books.ask(1 + "abc".index(act))
            books.check()


class _Books:
    """All that a course of requests did, counted twice."""

    def __init__(self) -> None:
        self.values: dict[tuple[int, str], int] = {}
        self.running: list[tuple[Need, list[Charge]]] = []
        self.ended: list[Need] = []

    def ask(self, size: int) -> None:
        need = Need(size, 2 * size)
        wanted = charges(LIMITS, need, NOW)
        if without_room(wanted, self.values):
            assert any(self.held(limit) + need.of(limit.what) > limit.amount for limit in LIMITS)
            return
        for charge in wanted:
            self.values[charge.counter] = self.values.get(charge.counter, 0) + charge.amount
        self.running.append((need, wanted))

    def settle_oldest(self) -> None:
        if not self.running:
            return
        need, wanted = self.running.pop(0)
        half = Need(need.tokens // 2, need.nanos // 2)
        for charge in wanted:
            self.values[charge.counter] -= given_back(charge, half)
        self.ended.append(half)

    def held(self, limit: Limit) -> int:
        reserved = sum(need.of(limit.what) for need, _ in self.running)
        used = 0 if limit.what == "concurrent" else sum(one.of(limit.what) for one in self.ended)
        return reserved + used

    def check(self) -> None:
        for limit in LIMITS:
            value = self.values.get((limit.id, period(limit.per, NOW)), 0)
            assert value == self.held(limit) <= limit.amount


@pytest.mark.parametrize(
    ("per", "name", "seconds"),
    [
        ("minute", "2026-12-31T23:59", 30),
        ("day", "2026-12-31", 30),
        ("month", "2026-12", 30),
        ("moment", "now", 1),
    ],
)
def test_periods_are_the_calendars(per: Per, name: str, seconds: int) -> None:
    assert period(per, NOW) == name
    assert seconds_left(per, NOW) == seconds
    assert per == "moment" or period(per, NOW + seconds) > name


def test_a_limit_of_another_period_begins_anew() -> None:
    wanted = charges(LIMITS[:1], Need(5, 0), NOW)
    full = {charge.counter: 5 for charge in wanted}
    assert without_room(wanted, full)
    assert without_room(charges(LIMITS[:1], Need(5, 0), NOW + 30), full) is None


def test_the_tightest_limit_says_what_is_left() -> None:
    limits = [
        Limit(1, "key", "requests", "day", 100),
        Limit(2, "project", "requests", "minute", 20),
        Limit(3, "key", "tokens", "day", 9),
    ]
    wanted = charges(limits, Need(1, 1), NOW)
    values = {wanted[0].counter: 95, wanted[1].counter: 18}
    found = left(wanted, values, "requests", NOW)
    assert found is not None
    assert (found.limit, found.remaining, found.reset_seconds) == (20, 2, 30)
    assert left(wanted, values, "money", NOW) is None
