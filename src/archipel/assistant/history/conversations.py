"""One's conversations: begun, listed, changed, erased. Whoever is not the owner finds nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, or_, select, update

from archipel.assistant.history.tables import add_row, messages, pictures
from archipel.assistant.history.tables import conversations as table
from archipel.errors import NotFound

TITLE_CHARACTERS = 200


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """A row; times in seconds since the epoch."""

    id: int
    title: str
    folder: int | None
    pinned: float | None
    created: float
    changed: float
    shown: int | None  # the last message of the branch that is shown
    shared: bool


@dataclass(frozen=True)
class Before:
    """Where a page of the list ends: those that follow changed earlier, or, at the same time, have
    a lower id."""

    changed: float
    id: int


def begin(connection: Connection, owner: str, now: float, title: str = "") -> int:
    """A new conversation; gives its id."""
    values = {"owner": owner, "title": title[:TITLE_CHARACTERS], "created": now, "changed": now}
    return add_row(connection, table, values)


def listed(
    connection: Connection,
    owner: str,
    limit: int,
    before: Before | None = None,
    folder: int | None = None,
) -> list[Conversation]:
    """The newest first; the pinned ones are among them at their time. Only those of a folder where
    one is given; 0 is for those in none."""
    query = select(table).where(table.c.owner == owner)
    if folder is not None:
        query = query.where(table.c.folder == folder if folder else table.c.folder.is_(None))
    if before is not None:
        earlier = table.c.changed < before.changed
        same = and_(table.c.changed == before.changed, table.c.id < before.id)
        query = query.where(or_(earlier, same))
    query = query.order_by(table.c.changed.desc(), table.c.id.desc()).limit(limit)
    return [_read(row) for row in connection.execute(query)]


def pinned(connection: Connection, owner: str) -> list[Conversation]:
    """The pinned ones, last pinned first."""
    mine = and_(table.c.owner == owner, table.c.pinned.is_not(None))
    query = select(table).where(mine).order_by(table.c.pinned.desc(), table.c.id.desc())
    return [_read(row) for row in connection.execute(query)]


def find(connection: Connection, owner: str, conversation: int) -> Conversation:
    """One of the owner's.

    Raises:
        NotFound: it is not there, or another's.
    """
    mine = and_(table.c.id == conversation, table.c.owner == owner)
    row = connection.execute(select(table).where(mine)).one_or_none()
    if row is None:
        raise NotFound(f"there is no conversation {conversation} of yours. It may be deleted.")
    return _read(row)


def change(
    connection: Connection, owner: str, conversation: int, values: Mapping[str, Any]
) -> Conversation:
    """Set columns; its time of change stays, so that a new name moves nothing.

    Raises:
        NotFound: it is not there, or another's.
    """
    mine = and_(table.c.id == conversation, table.c.owner == owner)
    connection.execute(update(table).where(mine).values(**values))
    return find(connection, owner, conversation)


def erase(connection: Connection, owner: str, conversation: int) -> None:
    """Delete it, its messages and their pictures.

    Raises:
        NotFound: it is not there, or another's.
    """
    find(connection, owner, conversation)
    its = select(messages.c.id).where(messages.c.conversation == conversation)
    connection.execute(delete(pictures).where(pictures.c.message.in_(its)))
    connection.execute(delete(messages).where(messages.c.conversation == conversation))
    connection.execute(delete(table).where(table.c.id == conversation))


def _read(row: Row[Any]) -> Conversation:
    return Conversation(
        id=row.id,
        title=row.title,
        folder=row.folder,
        pinned=row.pinned,
        created=row.created,
        changed=row.changed,
        shown=row.shown,
        shared=row.share_digest is not None,
    )
