"""The record of administrative acts: each row's digest covers the one before, so that none can be
altered, taken out or put between without a trace."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, String, cast, or_, select
from sqlalchemy import text as sql

from archipel.errors import IntegrityError
from archipel.serve.accounts.tables import audit

_BEGINNING = "0" * 64


@dataclass(frozen=True)
class Act:
    """One row."""

    number: int  # from 1, without gaps
    time: float
    actor: str
    act: str
    details: Mapping[str, Any]
    digest: str


def record(
    connection: Connection, time: float, actor: str, act: str, details: Mapping[str, Any]
) -> None:
    """Append an act in the transaction that carries it out."""
    if connection.dialect.name == "postgresql":  # two at once would follow the same row
        connection.execute(sql("LOCK TABLE audit IN EXCLUSIVE MODE"))
    newest = select(audit.c.number, audit.c.digest).order_by(audit.c.number.desc()).limit(1)
    number, before = connection.execute(newest).one_or_none() or (0, _BEGINNING)
    row = Act(number + 1, time, actor, act, details, "")
    connection.execute(audit.insert().values({**asdict(row), "digest": _digest(before, row)}))


def acts(connection: Connection) -> Iterator[Act]:
    """All rows, the oldest first, each checked against the one before.

    Raises:
        IntegrityError: a row is missing or was altered.
    """
    number, before = 0, _BEGINNING
    for found in connection.execute(select(audit).order_by(audit.c.number)).mappings():
        row = Act(**found)
        if row.number != number + 1 or row.digest != _digest(before, row):
            raise IntegrityError(
                f"the audit log is not as it was written: row {number + 1} is missing or altered. "
                "Compare it with a backup of the database."
            )
        number, before = row.number, row.digest
        yield row


def newest(connection: Connection, *, before: int, text: str, most: int) -> list[Act]:
    """Rows numbered less than `before` that have a text in actor, act or details; the newest
    first. They are not checked."""
    searched = (audit.c.actor, audit.c.act, cast(audit.c.details, String))
    has_text = or_(*(column.icontains(text, autoescape=True) for column in searched))
    wanted = select(audit).where(audit.c.number < before, has_text)
    found = connection.execute(wanted.order_by(audit.c.number.desc()).limit(most))
    return [Act(**row) for row in found.mappings()]


def _digest(before: str, row: Act) -> str:
    fields = [before, row.number, row.time, row.actor, row.act, dict(row.details)]
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
