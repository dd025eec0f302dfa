"""The books: requests that are under way, what each took in the end, and the counters of limits.

Every function works in the transaction that it is given.
"""

import itertools
import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, select

from archipel.errors import ArchipelError
from archipel.serve.accounts.keys import Key
from archipel.serve.accounts.limits import (
    Charge,
    Counter,
    Left,
    Limit,
    Need,
    charges,
    given_back,
    left,
    without_room,
)
from archipel.serve.accounts.tables import reservations, usage, workers

_LOST_SECONDS = 60.0  # after which a process that is not heard of is dead
_ASKED_AGAIN = ("left", "lost")
_ROWS = 5_000  # in a statement: SQLite takes 32,766 values
_Item = TypeVar("_Item")


class OverLimit(ArchipelError):
    """A request has no room within a limit."""

    def __init__(self, charge: Charge) -> None:
        limit = charge.limit
        super().__init__(f"the {limit.scope}'s limit of {limit.what} a {limit.per} is reached")
        self.charge = charge


@dataclass(frozen=True)
class Asked:
    """A request, and the most that it can take."""

    key: Key
    endpoint: str
    model: str  # the public name
    need: Need
    batch: str | None = None  # whose line it is


@dataclass(frozen=True)
class Reservation:
    """A request that may be sent; `requests` and `tokens` are what its key may still ask for."""

    id: str
    asked: Asked
    began: float
    charges: Sequence[Charge]
    requests: Left | None
    tokens: Left | None


@dataclass(frozen=True)
class Took:
    """How a request ended."""

    outcome: str  # answered, failed, left; lost with its process
    seconds: float
    provider: str | None = None
    provider_model: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False  # the provider did not say how many tokens
    nanos: int = 0

    @property
    def need(self) -> Need:
        """What counts for limits."""
        return Need(self.prompt_tokens + self.completion_tokens, self.nanos)


def reserve(
    connection: Connection, asked: Sequence[Asked], worker: str, now: float
) -> list[Reservation | OverLimit]:
    """Enter those requests that all their limits have room for, in their order."""
    wanted = [charges(one.key.limits, one.need, now) for one in asked]
    most: defaultdict[Counter, int] = defaultdict(int)
    for charge in itertools.chain.from_iterable(wanted):
        most[charge.counter] += charge.amount
    after = _add(connection, most)  # of all of them; what is refused is taken out again below
    values = {counter: after[counter] - amount for counter, amount in most.items()}
    verdicts = [_admitted(one, its, values, now) for one, its in zip(asked, wanted, strict=True)]
    _add(connection, {one: values[one] - after[one] for one in most if values[one] != after[one]})
    entered = [one for one in verdicts if isinstance(one, Reservation)]
    _insert(connection, reservations, [_row(one, worker) for one in entered])
    return verdicts


def _admitted(
    asked: Asked, wanted: Sequence[Charge], values: dict[Counter, int], now: float
) -> Reservation | OverLimit:
    if full := without_room(wanted, values):
        return OverLimit(full)
    for charge in wanted:
        values[charge.counter] += charge.amount
    requests, tokens = (left(wanted, values, what, now) for what in ("requests", "tokens"))
    return Reservation(str(uuid.uuid4()), asked, now, wanted, requests, tokens)


def settle(connection: Connection, ended: Sequence[tuple[Reservation, Took]]) -> list[str]:
    """Write what requests took and give back the rest. What was settled before stays as it is; the
    ids of the others. A batch's line that was left or lost will be asked again: it has no row."""
    once = {reservation.id: (reservation, took) for reservation, took in ended}
    back: defaultdict[Counter, int] = defaultdict(int)
    rows = []
    closed = _closed(connection, once)
    for reservation, took in map(once.__getitem__, closed):
        if reservation.asked.batch is None or took.outcome not in _ASKED_AGAIN:
            rows.append(_usage(reservation, took))
        for charge in reservation.charges:
            back[charge.counter] -= given_back(charge, took.need)
    _add(connection, back)
    _insert(connection, usage, rows)
    return closed


def beat(connection: Connection, worker: str, now: float) -> None:
    """Say that a process is alive."""
    order = "INSERT INTO workers (id, seen) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET seen = ?"
    _cursor(connection).execute(_marked(connection, order), (worker, now, now))


def settle_lost(connection: Connection, now: float) -> list[str]:
    """Settle what dead processes left under way at what it reserved, and the lines of batches at
    nothing; the ids of those that are billed."""
    dead = select(workers.c.id).where(workers.c.seen < now - _LOST_SECONDS)
    found = connection.execute(select(reservations).where(reservations.c.worker.in_(dead)))
    lost = [_reservation(row.id, row.began, row.asked) for row in found]
    settle(connection, [(one, _took_all(one, now)) for one in lost])
    connection.execute(workers.delete().where(workers.c.seen < now - _LOST_SECONDS))
    return [one.id for one in lost if one.asked.batch is None]


def _took_all(reservation: Reservation, now: float) -> Took:
    need = reservation.asked.need if reservation.asked.batch is None else Need(0, 0)
    return Took(
        outcome="lost",
        seconds=now - reservation.began,
        completion_tokens=need.tokens,
        estimated=True,
        nanos=need.nanos,
    )


def _row(reservation: Reservation, worker: str) -> tuple[Any, ...]:
    asked, key = reservation.asked, reservation.asked.key
    limits = [[one.id, one.scope, one.what, one.per, one.amount] for one in key.limits]
    who = [key.id, key.project, key.organisation]
    need = [asked.need.tokens, asked.need.nanos]
    kept = json.dumps([who, asked.endpoint, asked.model, need, limits, asked.batch])
    return reservation.id, worker, reservation.began, kept


def _reservation(id: str, began: float, kept: Sequence[Any]) -> Reservation:
    """As `_row` wrote it; of its key, what books need."""
    who, endpoint, model, need, limits, *batch = kept  # absent in rows from before migration 0003
    id_, project, organisation = who
    key = Key(id_, project, organisation, None, None, None, tuple(Limit(*one) for one in limits))
    asked = Asked(key, endpoint, model, Need(*need), *batch)
    return Reservation(id, asked, began, charges(key.limits, asked.need, began), None, None)


def _usage(reservation: Reservation, took: Took) -> tuple[Any, ...]:
    """In the order of the table's columns."""
    asked, key = reservation.asked, reservation.asked.key
    who = (key.organisation, key.project, key.id, asked.endpoint, asked.model)
    by = (took.provider, took.provider_model, took.outcome)
    what = (took.prompt_tokens, took.completion_tokens, took.estimated, took.nanos)
    return (reservation.id, reservation.began, took.seconds, *who, *by, *what, asked.batch)


def _closed(connection: Connection, ids: Collection[str]) -> list[str]:
    """Take reservations out; those that were still there. Two processes never both find one."""
    gone: list[str] = []
    for some in _chunks(sorted(ids)):
        order = f"DELETE FROM reservations WHERE id IN ({_marks(len(some))}) RETURNING id"
        gone += [id for (id,) in _run(connection, order, some)]
    return gone


def _add(connection: Connection, amounts: Mapping[Counter, int]) -> dict[Counter, int]:
    """Change counters, which nobody else changes until the transaction has ended; their values."""
    changes = sorted((*counter, amount) for counter, amount in amounts.items())
    values: dict[Counter, int] = {}  # sorted, so that no two processes wait for each other
    for some in _chunks(changes):
        order = (
            "INSERT INTO counters (limit_id, period, value) "
            f"VALUES {', '.join(['(?, ?, ?)'] * len(some))} ON CONFLICT (limit_id, period) "
            "DO UPDATE SET value = counters.value + excluded.value "
            "RETURNING limit_id, period, value"
        )
        found = _run(connection, order, [*itertools.chain.from_iterable(some)])
        values |= {(limit, period): value for limit, period, value in found}
    return values


def _insert(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows with all columns of the table, in its order."""
    if rows:
        names = ", ".join(f'"{column.name}"' for column in table.columns)
        order = f"INSERT INTO {table.name} ({names}) VALUES ({_marks(len(rows[0]))})"
        _cursor(connection).executemany(_marked(connection, order), rows)


def _run(connection: Connection, order: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    cursor = _cursor(connection)
    cursor.execute(_marked(connection, order), values)
    return list(cursor.fetchall())


def _cursor(connection: Connection) -> Any:
    """The driver's own: what SQLAlchemy adds to an order is several times what SQLite needs for it
    (docs/decisions/0010)."""
    return connection.connection.cursor()


def _marked(connection: Connection, order: str) -> str:
    """With the driver's mark for a value instead of question marks."""
    return order if connection.dialect.name == "sqlite" else order.replace("?", "%s")


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _chunks(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """As many as a statement may have values for."""
    for start in range(0, len(items), _ROWS):
        yield items[start : start + _ROWS]
