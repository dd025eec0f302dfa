"""One's collections of documents: rows of the assistant's database."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, func, select, update

from archipel.assistant.history.tables import add_row
from archipel.assistant.history.tables import collections as table
from archipel.errors import ConfigError, NotFound

NAME_CHARACTERS = 120
_COLLECTIONS = 200


@dataclass(frozen=True)
class Collection:
    """A row."""

    id: int
    name: str


def listed(connection: Connection, owner: str) -> list[Collection]:
    """By name."""
    query = select(table.c.id, table.c.name).where(table.c.owner == owner)
    rows = connection.execute(query.order_by(func.lower(table.c.name), table.c.id))
    return [Collection(row.id, row.name) for row in rows]


def find(connection: Connection, owner: str, collection: int) -> Collection:
    """One of the owner's.

    Raises:
        NotFound: it is not there, or another's.
    """
    mine = and_(table.c.id == collection, table.c.owner == owner)
    row = connection.execute(select(table.c.id, table.c.name).where(mine)).one_or_none()
    if row is None:
        raise NotFound(f"there is no collection {collection} of yours. It may be deleted.")
    return Collection(row.id, row.name)


def still_there(connection: Connection, owner: str, wanted: Sequence[int]) -> list[int]:
    """Those of the wanted that the owner has."""
    mine = {one.id for one in listed(connection, owner)}
    return [one for one in wanted if one in mine]


def make(connection: Connection, owner: str, name: str) -> Collection:
    """A new collection.

    Raises:
        ConfigError: the name is empty, too long or taken, or there are too many.
    """
    if len(listed(connection, owner)) >= _COLLECTIONS:
        raise ConfigError(f"there are {_COLLECTIONS} collections already. Delete one first.")
    name = _checked(connection, owner, name, None)
    values = {"owner": owner, "name": name}
    id_ = add_row(connection, table, values)
    return Collection(id_, name)


def rename(connection: Connection, owner: str, collection: int, name: str) -> Collection:
    """Give it another name.

    Raises:
        NotFound: it is not there, or another's.
        ConfigError: the name is empty, too long or taken.
    """
    find(connection, owner, collection)
    name = _checked(connection, owner, name, collection)
    connection.execute(update(table).where(table.c.id == collection).values(name=name))
    return Collection(collection, name)


def erase(connection: Connection, collection: int) -> None:
    """Delete it; its documents are gone before."""
    connection.execute(delete(table).where(table.c.id == collection))


def _checked(connection: Connection, owner: str, name: str, but: int | None) -> str:
    name = " ".join(name.split())
    if not 0 < len(name) <= NAME_CHARACTERS or not name.isprintable():
        raise ConfigError(
            f"a collection's name has 1 to {NAME_CHARACTERS} characters, not {name!r}."
        )
    if any(one.name == name and one.id != but for one in listed(connection, owner)):
        raise ConfigError(f"there is a collection {name!r} already. Choose another name.")
    return name
