"""One's folders of conversations."""

from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, func, select, update

from archipel.assistant.history.tables import add_row
from archipel.assistant.history.tables import folders as table
from archipel.errors import ConfigError, NotFound

NAME_CHARACTERS = 120
_FOLDERS = 500


@dataclass(frozen=True)
class Folder:
    """A row."""

    id: int
    name: str


def listed(connection: Connection, owner: str) -> list[Folder]:
    """By name."""
    query = select(table.c.id, table.c.name).where(table.c.owner == owner)
    rows = connection.execute(query.order_by(func.lower(table.c.name), table.c.id))
    return [Folder(row.id, row.name) for row in rows]


def make(connection: Connection, owner: str, name: str) -> Folder:
    """A new folder.

    Raises:
        ConfigError: the name is empty, too long or taken, or there are too many.
    """
    if len(listed(connection, owner)) >= _FOLDERS:
        raise ConfigError(f"there are {_FOLDERS} folders already. Delete one first.")
    name = _checked(connection, owner, name, None)
    values = {"owner": owner, "name": name}
    return Folder(add_row(connection, table, values), name)


def find(connection: Connection, owner: str, folder: int) -> Folder:
    """One of the owner's.

    Raises:
        NotFound: it is not there, or another's.
    """
    mine = and_(table.c.id == folder, table.c.owner == owner)
    row = connection.execute(select(table.c.id, table.c.name).where(mine)).one_or_none()
    if row is None:
        raise NotFound(f"there is no folder {folder} of yours. It may be deleted.")
    return Folder(row.id, row.name)


def rename(connection: Connection, owner: str, folder: int, name: str) -> Folder:
    """Give it another name.

    Raises:
        NotFound: it is not there, or another's.
        ConfigError: the name is empty, too long or taken.
    """
    find(connection, owner, folder)
    name = _checked(connection, owner, name, folder)
    connection.execute(update(table).where(table.c.id == folder).values(name=name))
    return Folder(folder, name)


def erase(connection: Connection, owner: str, folder: int) -> None:
    """Delete it; its conversations stay, in no folder.

    Raises:
        NotFound: it is not there, or another's.
    """
    find(connection, owner, folder)
    connection.execute(delete(table).where(table.c.id == folder))


def _checked(connection: Connection, owner: str, name: str, but: int | None) -> str:
    name = " ".join(name.split())
    if not 0 < len(name) <= NAME_CHARACTERS or not name.isprintable():
        raise ConfigError(f"a folder's name has 1 to {NAME_CHARACTERS} characters, not {name!r}.")
    if any(one.name == name and one.id != but for one in listed(connection, owner)):
        raise ConfigError(f"there is a folder {name!r} already. Choose another name.")
    return name
