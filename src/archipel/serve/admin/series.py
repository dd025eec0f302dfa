"""Usage over time, by model, project, key, provider or outcome.

Each step of time is a query of its own, over the index on when requests began: a million rows take
a third of the time of one query that groups them by day.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, case, func, or_, select

from archipel.errors import ConfigError
from archipel.serve.accounts.limits import NANOS
from archipel.serve.accounts.tables import keys, projects, usage
from archipel.serve.admin.sight import Sight

By = Literal["model", "project", "key", "provider", "outcome"]
Measure = Literal["requests", "tokens", "cost"]

DRAWN = 7  # groups with numbers for each step; the rest is one
LISTED = 50  # groups with sums
_LONGEST_DAYS = 400
_HOUR, _DAY = 3600, 86400
_Numbers = tuple[int, int, int, int, int]  # requests, failed, prompt, completion, nanos
_NOTHING: _Numbers = (0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Wanted:
    """From one day to another (UTC, both in it); of one project, key or model if that is said."""

    first: date
    last: date
    by: By = "model"
    measure: Measure = "requests"
    project: str | None = None
    key: int | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        """Raises:
        ConfigError: the last day is before the first, or too long after it.
        """
        if not 0 <= (self.last - self.first).days < _LONGEST_DAYS:
            raise ConfigError(
                f"from {self.first} to {self.last} can't be shown. Take a first day, and a last "
                f"one less than {_LONGEST_DAYS} days after it."
            )

    @property
    def step(self) -> int:
        """Seconds: an hour for one or two days, a week for more than three months."""
        days = (self.last - self.first).days + 1
        return _HOUR if days <= 2 else _DAY if days <= 100 else 7 * _DAY

    def steps(self) -> Iterator[tuple[float, float]]:
        """The beginnings and ends."""
        begin, end = _midnight(self.first), _midnight(self.last + timedelta(days=1))
        while begin < end:
            yield begin, min(begin + self.step, end)
            begin += self.step


@dataclass(frozen=True)
class Group:
    """What one group used. `steps` has the measure for each step, where it is drawn."""

    name: str | None  # None: all groups that are not listed
    id: int | None  # a key's
    sums: Mapping[str, float]
    steps: Sequence[float] | None


@dataclass(frozen=True)
class Series:
    """What was used: all of it, by group, the largest first, and what no group has for itself."""

    begins: Sequence[float]
    step: int
    all: Mapping[str, float]
    groups: Sequence[Group]
    rest: Group | None  # of which the steps are those of all groups that are not drawn
    rest_groups: int


def series(connection: Connection, sight: Sight, wanted: Wanted) -> Series:
    """What was used by the keys that may be seen.

    Steps with many groups are asked twice: of a hundred thousand keys, more than one step at a time
    would not do in memory.
    """
    column = getattr(usage.c, wanted.by)
    conditions = [sight.of_usage(), *_narrowed(connection, wanted)]
    steps = list(wanted.steps())
    sums: defaultdict[Any, _Numbers] = defaultdict(lambda: _NOTHING)
    totals, kept = [], []
    for begin, end in steps:
        found = _step(connection, column, conditions, begin, end)
        totals.append(_measured(_total(found.values()), wanted.measure))
        kept.append(found if len(found) <= LISTED else None)
        for group, numbers in found.items():
            sums[group] = _added(sums[group], numbers)
    order = sorted(sums, key=lambda group: (-_measured(sums[group], wanted.measure), str(group)))
    drawn: dict[Any, list[float]] = {group: [] for group in order[:DRAWN]}
    among = [*conditions, _one_of(column, order[:DRAWN])]
    for (begin, end), known in zip(steps, kept, strict=True):
        found = _step(connection, column, among, begin, end) if known is None else known
        for group, its in drawn.items():
            its.append(_measured(found.get(group, _NOTHING), wanted.measure))
    names = _names(connection, wanted.by, order[:LISTED])
    groups = [
        Group(
            names[group],
            group if wanted.by == "key" else None,
            _shown(sums[group]),
            drawn.get(group),
        )
        for group in order[:LISTED]
    ]
    rest, not_listed = None, order[LISTED:]
    if len(order) > DRAWN:
        each = zip(totals, *drawn.values(), strict=True)  # a request may have come in between
        others = [max(0, total - sum(its)) for total, *its in each]
        rest = Group(None, None, _shown(_total(map(sums.__getitem__, not_listed))), others)
    whole = _shown(_total(sums.values()))
    return Series([begin for begin, _ in steps], wanted.step, whole, groups, rest, len(not_listed))


def _one_of(column: ColumnElement[Any], groups: Sequence[Any]) -> ColumnElement[bool]:
    return or_(column.in_([group for group in groups if group is not None]), column.is_(None))


def _step(
    connection: Connection,
    column: ColumnElement[Any],
    conditions: Sequence[ColumnElement[bool]],
    begin: float,
    end: float,
) -> dict[Any, _Numbers]:
    failed = case((usage.c.outcome.in_(("failed", "lost")), 1), else_=0)
    query = (
        select(
            column,
            func.count(),
            func.sum(failed),
            func.sum(usage.c.prompt_tokens),
            func.sum(usage.c.completion_tokens),
            func.sum(usage.c.nanos),
        )
        .where(usage.c.began >= begin, usage.c.began < end, *conditions)
        .group_by(column)
    )
    return {
        group: (int(count), int(failures), int(prompt), int(completion), int(nanos))
        for group, count, failures, prompt, completion, nanos in connection.execute(query)
    }


def _narrowed(connection: Connection, wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if wanted.project is not None:
        its = select(projects.c.id).where(projects.c.name == wanted.project)
        yield usage.c.project == (connection.execute(its).scalar() or 0)
    if wanted.key is not None:
        yield usage.c.key == wanted.key
    if wanted.model is not None:
        yield usage.c.model == wanted.model


def _names(connection: Connection, by: By, groups: Sequence[Any]) -> dict[Any, str]:
    if by not in ("project", "key"):
        return {group: group or "" for group in groups}  # no provider: none has answered
    if by == "project":
        query = select(projects.c.id, projects.c.name).where(projects.c.id.in_(groups))
        return {id: name for id, name in connection.execute(query)}
    shown = select(keys.c.id, keys.c.name, keys.c.prefix).where(keys.c.id.in_(groups))
    return {id: f"{name} · {prefix}" for id, name, prefix in connection.execute(shown)}


def _total(many: Iterable[_Numbers]) -> _Numbers:
    total = _NOTHING
    for numbers in many:
        total = _added(total, numbers)
    return total


def _added(one: _Numbers, other: _Numbers) -> _Numbers:
    requests, failed, prompt, completion, nanos = one
    return (
        requests + other[0],
        failed + other[1],
        prompt + other[2],
        completion + other[3],
        nanos + other[4],
    )


def _measured(numbers: _Numbers, measure: Measure) -> float:
    return _shown(numbers)[measure]


def _shown(numbers: _Numbers) -> dict[str, float]:
    requests, failed, prompt, completion, nanos = numbers
    return {
        "requests": requests,
        "failed": failed,
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "tokens": prompt + completion,
        "cost": nanos / NANOS,
    }


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
