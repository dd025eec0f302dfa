"""Collections of documents: one's own, and those shared with a project that one is in.

Of a collection that somebody may not read, they are told what they are told of one that is not
there.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Row, delete, func, or_, select, update

from archipel.assistant.history.named import Names
from archipel.assistant.history.tables import collections as table
from archipel.assistant.people import EDITORS, Person
from archipel.errors import ConfigError, NotAllowed, NotFound

May = Literal["read", "edit", "own"]  # each may what those before it may
_names = Names(table, "collection", most=200)


@dataclass(frozen=True, kw_only=True)
class Collection:
    """A row. `project`: whose people it is shared with; None: nobody. `may`: what whoever asked for
    it may do: ask it and open what it has; also add and delete documents; or all."""

    id: int
    name: str
    owner: str
    project: str | None
    may: May


def readable(person: Person) -> ColumnElement[bool]:
    """Which rows of the table a person may read."""
    return or_(table.c.owner == person.owner, table.c.project.in_(list(person.projects)))


def listed(connection: Connection, person: Person) -> list[Collection]:
    """Those that a person may read, by name."""
    query = select(table).where(readable(person))
    rows = connection.execute(query.order_by(func.lower(table.c.name), table.c.id))
    return [_read(row, person) for row in rows]


def find(
    connection: Connection, person: Person, collection: int, wants: May = "read"
) -> Collection:
    """One that a person may do this with.

    Raises:
        NotFound: it is not there, or not for them to read.
        NotAllowed: they may read it, and not do this.
    """
    here = table.c.id == collection
    row = connection.execute(select(table).where(here, readable(person))).one_or_none()
    if row is None:
        raise NotFound(
            f"there is no collection {collection} that is yours or shared with you. It may be "
            "deleted, or not shared any more."
        )
    found, rights = _read(row, person), get_args(May)
    if rights.index(found.may) < rights.index(wants):
        who = "whoever shares it" if wants == "own" else f"whoever manages {found.project!r}"
        raise NotAllowed(f"{found.name!r} is shared with you to {found.may}. Ask {who} to do that.")
    return found


def make(connection: Connection, person: Person, name: str) -> Collection:
    """A new one, shared with nobody.

    Raises:
        ConfigError: the name is empty, too long or taken, or there are too many.
    """
    made = _names.make(connection, person.owner, name)
    return find(connection, person, made.id)


def rename(connection: Connection, person: Person, collection: int, name: str) -> Collection:
    """Give one's own another name.

    Raises:
        NotFound, NotAllowed: as `find`.
        ConfigError: the name is empty, too long or taken.
    """
    find(connection, person, collection, "own")
    _names.rename(connection, person.owner, collection, name)
    return find(connection, person, collection)


def share(connection: Connection, person: Person, collection: int, project: str) -> Collection:
    """Let the people of a project read one's own, and those with an editing role change what is in
    it; the project that it was shared with before has it no more.

    Raises:
        NotFound, NotAllowed: as `find`.
        ConfigError: the person is not in this project.
    """
    find(connection, person, collection, "own")
    if project not in person.projects:
        yours = ", ".join(sorted(person.projects)) or "none"
        raise ConfigError(f"you are not in a project {project!r}. Choose one of yours: {yours}.")
    return _shared_with(connection, person, collection, project)


def unshare(connection: Connection, person: Person, collection: int) -> Collection:
    """From now on one's own is for nobody else.

    Raises:
        NotFound, NotAllowed: as `find`.
    """
    find(connection, person, collection, "own")
    return _shared_with(connection, person, collection, None)


def erase(connection: Connection, collection: int) -> None:
    """Delete it; its documents are gone before."""
    connection.execute(delete(table).where(table.c.id == collection))


def _shared_with(
    connection: Connection, person: Person, collection: int, project: str | None
) -> Collection:
    connection.execute(update(table).where(table.c.id == collection).values(project=project))
    return find(connection, person, collection)


def _read(row: Row[Any], person: Person) -> Collection:
    role = person.projects.get(row.project)
    may: May = "edit" if role in EDITORS else "read"
    return Collection(
        id=row.id,
        name=row.name,
        owner=row.owner,
        project=row.project,
        may="own" if row.owner == person.owner else may,
    )
