"""What was used: sums of a month, and every request of it."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

from sqlalchemy import ColumnElement, Connection, Select, func, select, true

from archipel.errors import ConfigError
from archipel.serve.accounts.limits import NANOS
from archipel.serve.accounts.tables import keys, organisations, people, projects, usage

GROUPS: Mapping[str, Any] = {
    "organisation": organisations.c.name,
    "project": projects.c.name,
    "person": people.c.name,
    "key": keys.c.prefix,
    "model": usage.c.model,
    "provider": usage.c.provider,
    "outcome": usage.c.outcome,
    "batch": usage.c.batch,
}
_COLUMNS = (
    *("id", "began", "seconds", "organisation", "project", "person", "key", "endpoint", "model"),
    *("provider", "provider_model", "outcome", "prompt_tokens", "completion_tokens"),
    *("estimated", "cost", "batch"),
)


@dataclass(frozen=True)
class Month:
    """A calendar month (UTC)."""

    begin: float
    end: float

    @classmethod
    def of(cls, written: str) -> "Month":
        """The month that is written as 2026-11.

        Raises:
            ConfigError: it is written in another way.
        """
        try:
            first = datetime.strptime(written, "%Y-%m").replace(tzinfo=UTC)
            after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        except ValueError as error:
            raise ConfigError(f"{written!r} is no month. Write it as 2026-11.") from error
        return cls(first.timestamp(), after.timestamp())


@dataclass(frozen=True)
class Sum:
    """What one group used."""

    group: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float  # in the currency


def sums(connection: Connection, month: Month, by: str) -> list[Sum]:
    """What each group used in the month, the dearest first."""
    group = GROUPS[by]
    wanted = _joined(
        select(
            group,
            func.count(),
            func.sum(usage.c.prompt_tokens),
            func.sum(usage.c.completion_tokens),
            func.sum(usage.c.nanos).label("nanos"),
        ),
        month,
    )
    found = connection.execute(wanted.group_by(group))
    each = [
        Sum(name or "none", count, int(prompt), int(completion), int(nanos) / NANOS)
        for name, count, prompt, completion, nanos in found
    ]
    return sorted(each, key=lambda one: (-one.cost, -one.requests, one.group))


def write_csv(
    connection: Connection, month: Month, file: TextIO, only: ColumnElement[bool] | None = None
) -> int:
    """Write every request of the month, or those of which a condition on `usage` is true; their
    number."""
    writer = csv.writer(file)
    writer.writerow(_COLUMNS)
    count = 0
    for row in _rows(connection, month, true() if only is None else only):
        writer.writerow(row)
        count += 1
    return count


def _rows(connection: Connection, month: Month, only: ColumnElement[bool]) -> Iterator[list[Any]]:
    names = (
        organisations.c.name.label("organisation_name"),
        projects.c.name.label("project_name"),
        keys.c.prefix.label("key_prefix"),
        people.c.name.label("person"),
    )
    wanted = _joined(select(usage, *names), month).where(only)
    wanted = wanted.order_by(usage.c.began, usage.c.id)
    for row in connection.execute(wanted.execution_options(yield_per=1000)).mappings():
        shown = dict(row) | {
            "began": datetime.fromtimestamp(row["began"], UTC).isoformat(timespec="milliseconds"),
            "organisation": row["organisation_name"],
            "project": row["project_name"],
            "key": row["key_prefix"],
            "cost": f"{row['nanos'] / NANOS:.9f}",
        }
        yield [shown[column] for column in _COLUMNS]


def _joined(wanted: Select[Any], month: Month) -> Select[Any]:
    return (
        wanted.select_from(usage)
        .join(organisations, usage.c.organisation == organisations.c.id)
        .join(projects, usage.c.project == projects.c.id)
        .join(keys, usage.c.key == keys.c.id)
        .outerjoin(people, keys.c.person == people.c.id)
        .where(usage.c.began >= month.begin, usage.c.began < month.end)
    )
