"""The books: requests that are under way, what each took in the end, and the counters of limits.

Every function works in the transaction that it is given.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

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
from archipel.serve.accounts.tables import counters, reservations, usage, workers

_LOST_SECONDS = 60.0  # after which a process that is not heard of is dead


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

    outcome: str  # answered, failed, left
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
    values = _locked(connection, {charge.counter for its in wanted for charge in its})
    before = dict(values)
    verdicts = [_admitted(one, its, values, now) for one, its in zip(asked, wanted, strict=True)]
    added = {counter: values[counter] - before[counter] for counter in values}
    _add(connection, {counter: amount for counter, amount in added.items() if amount})
    rows = [_row(one, worker) for one in verdicts if isinstance(one, Reservation)]
    if rows:
        connection.execute(reservations.insert(), rows)
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


def settle(connection: Connection, ended: Sequence[tuple[Reservation, Took]]) -> None:
    """Write what requests took and give back the rest. What was settled before stays as it is."""
    once = {reservation.id: (reservation, took) for reservation, took in ended}
    open_ones = _closed(connection, once)
    back: defaultdict[Counter, int] = defaultdict(int)
    rows = []
    for reservation, took in (once[id] for id in open_ones):
        rows.append({**_who(reservation), **asdict(took)})
        for charge in reservation.charges:
            back[charge.counter] -= given_back(charge, took.need)
    _add(connection, back)
    if rows:
        connection.execute(usage.insert(), rows)


def beat(connection: Connection, worker: str, now: float) -> None:
    """Say that a process is alive."""
    insert = _insert(connection)(workers).values(id=worker, seen=now)
    connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_={"seen": now}))


def settle_lost(connection: Connection, now: float) -> list[str]:
    """Settle what dead processes left under way at what it reserved; the requests' ids."""
    dead = select(workers.c.id).where(workers.c.seen < now - _LOST_SECONDS)
    found = connection.execute(select(reservations).where(reservations.c.worker.in_(dead)))
    lost = [_reservation(row.id, row.began, row.asked) for row in found]
    settle(connection, [(one, _took_all(one, now)) for one in lost])
    connection.execute(workers.delete().where(workers.c.seen < now - _LOST_SECONDS))
    return [one.id for one in lost]


def _took_all(reservation: Reservation, now: float) -> Took:
    need = reservation.asked.need
    return Took(
        outcome="lost",
        seconds=now - reservation.began,
        completion_tokens=need.tokens,
        estimated=True,
        nanos=need.nanos,
    )


def _row(reservation: Reservation, worker: str) -> dict[str, Any]:
    asked = asdict(reservation.asked)
    return {"id": reservation.id, "worker": worker, "began": reservation.began, "asked": asked}


def _reservation(id: str, began: float, asked: Mapping[str, Any]) -> Reservation:
    """As `_row` wrote it."""
    limits = tuple(Limit(**limit) for limit in asked["key"]["limits"])
    key = Key(**{**asked["key"], "limits": limits})
    one = Asked(key, asked["endpoint"], asked["model"], Need(**asked["need"]))
    return Reservation(id, one, began, charges(limits, one.need, began), None, None)


def _who(reservation: Reservation) -> dict[str, Any]:
    asked, key = reservation.asked, reservation.asked.key
    return {
        "id": reservation.id,
        "began": reservation.began,
        "organisation": key.organisation,
        "project": key.project,
        "key": key.id,
        "endpoint": asked.endpoint,
        "model": asked.model,
    }


def _closed(connection: Connection, ids: Collection[str]) -> set[str]:
    """Take reservations out; those that were still there. Two processes never both find one."""
    if not ids:
        return set()
    gone = reservations.delete().where(reservations.c.id.in_(ids)).returning(reservations.c.id)
    return set(connection.execute(gone).scalars())


def _locked(connection: Connection, wanted: Collection[Counter]) -> dict[Counter, int]:
    """The counters' values, which nobody else changes until the transaction has ended."""
    if not wanted:
        return {}
    wanted = sorted(wanted)  # the same order everywhere: no two wait for each other
    rows = [{"limit_id": limit, "period": period, "value": 0} for limit, period in wanted]
    connection.execute(_insert(connection)(counters).on_conflict_do_nothing(), rows)
    found = (
        select(counters)
        .where(tuple_(counters.c.limit_id, counters.c.period).in_(wanted))
        .order_by(counters.c.limit_id, counters.c.period)
        .with_for_update()
    )
    return {(row.limit_id, row.period): row.value for row in connection.execute(found)}


def _add(connection: Connection, amounts: Mapping[Counter, int]) -> None:
    if not amounts:
        return
    change = (
        counters.update()
        .where(counters.c.limit_id == bindparam("its_limit"))
        .where(counters.c.period == bindparam("its_period"))
        .values(value=counters.c.value + bindparam("amount"))
    )
    rows = [
        {"its_limit": limit, "its_period": period, "amount": amount}
        for (limit, period), amount in sorted(amounts.items())
    ]
    connection.execute(change, rows)


def _insert(connection: Connection) -> Any:
    """The dialect's INSERT, which has ON CONFLICT."""
    return {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[connection.dialect.name]
