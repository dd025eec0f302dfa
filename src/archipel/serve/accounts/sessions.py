"""Sessions of people who are logged in: begun, found again, ended. The database has no token."""

import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, select

from archipel.serve.accounts.keys import digest
from archipel.serve.accounts.people import Person, person_by_id
from archipel.serve.accounts.tables import sessions

_TOUCH_SECONDS = 60.0  # a session's use is written down no more often


@dataclass(frozen=True)
class Stay:
    """How long a session lasts: in all, and without being used; seconds."""

    seconds: float
    idle_seconds: float


@dataclass(frozen=True)
class Session:
    """Whose it is, and whether its use is due to be written down."""

    person: Person
    is_due: bool


def begin(connection: Connection, person: int, pepper: bytes, now: float, stay: Stay) -> str:
    """A session; gives its token, which is nowhere else. Those that are over are cleared away."""
    over = (sessions.c.began <= now - stay.seconds) | (sessions.c.seen <= now - stay.idle_seconds)
    connection.execute(sessions.delete().where(over))
    token = secrets.token_urlsafe(32)
    fields = {"digest": digest(token, pepper), "person": person, "began": now, "seen": now}
    connection.execute(sessions.insert().values(fields))
    return token


def find(
    connection: Connection, token: str, pepper: bytes, now: float, stay: Stay
) -> Session | None:
    """The session of a token, if it is not over and its person is not disabled."""
    wanted = select(sessions).where(
        sessions.c.digest == digest(token, pepper),
        sessions.c.began > now - stay.seconds,
        sessions.c.seen > now - stay.idle_seconds,
    )
    row = connection.execute(wanted).one_or_none()
    if row is None or (person := person_by_id(connection, row.person)) is None:
        return None
    return Session(person, now - row.seen >= _TOUCH_SECONDS)


def touch(connection: Connection, token: str, pepper: bytes, now: float) -> None:
    """Write down that a session is used."""
    its = sessions.c.digest == digest(token, pepper)
    connection.execute(sessions.update().where(its).values(seen=now))


def end(connection: Connection, token: str, pepper: bytes) -> None:
    """From now on the token opens nothing."""
    connection.execute(sessions.delete().where(sessions.c.digest == digest(token, pepper)))


def end_all(connection: Connection, person: int) -> None:
    """Log somebody out everywhere."""
    connection.execute(sessions.delete().where(sessions.c.person == person))
