"""Whether a request keeps within its limits, and what it takes from them. Pure.

A limit has a counter for each of its periods. A request is admitted if all its counters have room
for the most that it can take, and takes that; in the end what it did not use is given back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal

What = Literal["requests", "tokens", "money", "concurrent"]
Per = Literal["minute", "day", "month", "moment"]

NANOS = 1_000_000_000  # in one unit of currency
_FORMATS: Mapping[Per, str] = {"minute": "%Y-%m-%dT%H:%M", "day": "%Y-%m-%d", "month": "%Y-%m"}
_MOMENT = "now"


@dataclass(frozen=True)
class Limit:
    """At most `amount` in a calendar period (UTC), or at any moment. Money is in nanos."""

    id: int
    scope: str  # organisation, project or key
    what: What
    per: Per
    amount: int


@dataclass(frozen=True)
class Need:
    """The most that a request can take, or what it took."""

    tokens: int
    nanos: int
    requests: int = 1
    concurrent: int = 1

    def of(self, what: What) -> int:
        """What counts for a limit on that."""
        return self.nanos if what == "money" else int(getattr(self, what))


@dataclass(frozen=True)
class Charge:
    """What a request took from one counter."""

    limit: Limit
    period: str
    amount: int

    @property
    def counter(self) -> "Counter":
        """The counter that holds it."""
        return self.limit.id, self.period


Counter = tuple[int, str]  # a limit's id and the period


def period(per: Per, now: float) -> str:
    """The name of the calendar period (UTC) in which the moment lies."""
    return _period(per, int(now // 60)) if per in _FORMATS else _MOMENT


@lru_cache(maxsize=8)  # each request asks for the same few
def _period(per: Per, minute: int) -> str:
    return _at(60 * minute).strftime(_FORMATS[per])


def seconds_left(per: Per, now: float) -> float:
    """Until the period ends and its counter begins anew; a second for what has no period."""
    moment = _at(now)
    if per == "minute":
        end = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
    elif per == "day":
        end = moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    elif per == "month":
        first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        end = (first + timedelta(days=32)).replace(day=1)
    else:
        return 1.0
    return (end - moment).total_seconds()


def charges(limits: Iterable[Limit], need: Need, now: float) -> list[Charge]:
    """What the request takes of each limit's counter of now."""
    return [Charge(limit, period(limit.per, now), need.of(limit.what)) for limit in limits]


def without_room(wanted: Sequence[Charge], values: Mapping[Counter, int]) -> Charge | None:
    """The first charge whose counter has no room for it; None if the request may begin."""
    for charge in wanted:
        if values.get(charge.counter, 0) + charge.amount > charge.limit.amount:
            return charge
    return None


def given_back(charge: Charge, took: Need) -> int:
    """By how much the charge's counter goes down when the request has ended."""
    if charge.limit.what == "concurrent":
        return charge.amount
    return charge.amount - took.of(charge.limit.what)


@dataclass(frozen=True)
class Left:
    """What a client may still ask for, as the limit with the least left has it."""

    limit: int
    remaining: int
    reset_seconds: float


def left(
    wanted: Sequence[Charge], values: Mapping[Counter, int], what: What, now: float
) -> Left | None:
    """The tightest limit on requests or tokens; None if there is none."""
    found = [
        Left(
            charge.limit.amount,
            max(0, charge.limit.amount - values.get(charge.counter, 0)),
            seconds_left(charge.limit.per, now),
        )
        for charge in wanted
        if charge.limit.what == what
    ]
    return min(found, key=lambda one: one.remaining, default=None)


def _at(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC)
