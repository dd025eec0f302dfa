"""What is remembered of somebody: short facts, each with the sentence that it came from.

Whoever they are of reads, corrects and erases them; nobody else finds them.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, insert, select, update

from archipel.assistant.history.tables import memories as table
from archipel.assistant.history.tables import messages
from archipel.errors import ConfigError, NotFound

TEXT_CHARACTERS = 300
MOST = 200  # of one person
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, kw_only=True)
class Memory:
    """A row; times in seconds since the epoch. `message` and `conversation` are where `origin` was
    written, null if that is erased."""

    id: int
    text: str
    origin: str
    message: int | None
    conversation: int | None
    created: float
    changed: float | None


@dataclass(frozen=True, kw_only=True)
class Found:
    """A fact that is not yet a row: in a message's sentence."""

    text: str
    origin: str
    message: int


def listed(connection: Connection, owner: str) -> list[Memory]:
    """All of the owner's, the newest first."""
    query = _all().where(table.c.owner == owner).order_by(table.c.created.desc(), table.c.id.desc())
    return [_read(row) for row in connection.execute(query)]


def find(connection: Connection, owner: str, memory: int) -> Memory:
    """One of the owner's.

    Raises:
        NotFound: it is not there, or another's.
    """
    query = _all().where(table.c.id == memory, table.c.owner == owner)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"there is no memory {memory} of yours. It may be erased.")
    return _read(row)


def add(connection: Connection, owner: str, found: Found, now: float) -> bool:
    """Remember it; whether it was: not if it is there already, there are too many, or its message
    was erased meanwhile."""
    known = connection.execute(select(table.c.digest).where(table.c.owner == owner)).scalars().all()
    digest = digest_of(found.text)
    its = messages.c.id == found.message
    is_there = connection.execute(select(messages.c.id).where(its)).one_or_none()
    if digest in known or len(known) >= MOST or is_there is None:
        return False
    values = {"owner": owner, "digest": digest, "created": now}
    values |= {"text": found.text, "origin": found.origin, "message": found.message}
    connection.execute(insert(table).values(values))
    return True


def correct(connection: Connection, owner: str, memory: int, text: str, now: float) -> Memory:
    """Say it in another way.

    Raises:
        NotFound: it is not there, or another's.
        ConfigError: the text is empty, too long, or there already.
    """
    find(connection, owner, memory)
    text = " ".join(text.split())
    if not 0 < len(text) <= TEXT_CHARACTERS or not text.isprintable():
        raise ConfigError(f"a memory has 1 to {TEXT_CHARACTERS} characters, not {len(text)}.")
    digest = digest_of(text)
    same = and_(table.c.owner == owner, table.c.digest == digest, table.c.id != memory)
    if connection.execute(select(table.c.id).where(same)).one_or_none() is not None:
        raise ConfigError(f"{text!r} is remembered already. Erase one of the two.")
    values = {"text": text, "digest": digest, "changed": now}
    connection.execute(update(table).where(table.c.id == memory).values(values))
    return find(connection, owner, memory)


def erase(connection: Connection, owner: str, memory: int) -> None:
    """Forget one.

    Raises:
        NotFound: it is not there, or another's.
    """
    find(connection, owner, memory)
    connection.execute(delete(table).where(table.c.id == memory))


def erase_all(connection: Connection, owner: str) -> None:
    """Forget all of the owner's."""
    connection.execute(delete(table).where(table.c.owner == owner))


def words_of(text: str) -> Sequence[str]:
    """The words of a text, without accents and case. Pure."""
    flat = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(sign for sign in flat if not unicodedata.combining(sign)))


def digest_of(text: str) -> str:
    """The same for texts with the same words in the same order. Pure."""
    return hashlib.sha256(" ".join(words_of(text)).encode()).hexdigest()


def _all() -> Select[Any]:
    return select(table, messages.c.conversation).outerjoin(
        messages, table.c.message == messages.c.id
    )


def _read(row: Row[Any]) -> Memory:
    return Memory(
        id=row.id,
        text=row.text,
        origin=row.origin,
        message=row.message,
        conversation=row.conversation,
        created=row.created,
        changed=row.changed,
    )
