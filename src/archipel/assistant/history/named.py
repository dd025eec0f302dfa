"""What a person gives names to, so that no two of a kind have the same: folders, collections."""

from dataclasses import dataclass

from sqlalchemy import Connection, Table, and_, func, select, update

from archipel.assistant.history.tables import add_row
from archipel.errors import ConfigError, NotFound

NAME_CHARACTERS = 120


@dataclass(frozen=True)
class Named:
    """A row."""

    id: int
    name: str


@dataclass(frozen=True)
class Names:
    """Those of one kind: rows of `table` (`id`, `owner`, `name`), at most so many of an owner;
    `word` is what messages call one."""

    table: Table
    word: str
    most: int

    def listed(self, connection: Connection, owner: str) -> list[Named]:
        """The owner's, by name."""
        columns = self.table.c
        query = select(columns.id, columns.name).where(columns.owner == owner)
        rows = connection.execute(query.order_by(func.lower(columns.name), columns.id))
        return [Named(row.id, row.name) for row in rows]

    def find(self, connection: Connection, owner: str, id_: int) -> Named:
        """One of the owner's.

        Raises:
            NotFound: it is not there, or another's.
        """
        columns = self.table.c
        mine = and_(columns.id == id_, columns.owner == owner)
        row = connection.execute(select(columns.id, columns.name).where(mine)).one_or_none()
        if row is None:
            raise NotFound(f"there is no {self.word} {id_} of yours. It may be deleted.")
        return Named(row.id, row.name)

    def make(self, connection: Connection, owner: str, name: str) -> Named:
        """A new one.

        Raises:
            ConfigError: the name is empty, too long or taken, or there are too many.
        """
        if len(self.listed(connection, owner)) >= self.most:
            raise ConfigError(f"there are {self.most} {self.word}s already. Delete one first.")
        name = self._checked(connection, owner, name, None)
        return Named(add_row(connection, self.table, {"owner": owner, "name": name}), name)

    def rename(self, connection: Connection, owner: str, id_: int, name: str) -> Named:
        """Give one another name.

        Raises:
            NotFound: it is not there, or another's.
            ConfigError: the name is empty, too long or taken.
        """
        self.find(connection, owner, id_)
        name = self._checked(connection, owner, name, id_)
        connection.execute(update(self.table).where(self.table.c.id == id_).values(name=name))
        return Named(id_, name)

    def _checked(self, connection: Connection, owner: str, name: str, but: int | None) -> str:
        name = " ".join(name.split())
        if not 0 < len(name) <= NAME_CHARACTERS or not name.isprintable():
            raise ConfigError(
                f"a {self.word}'s name has 1 to {NAME_CHARACTERS} characters, not {name!r}."
            )
        if any(one.name == name and one.id != but for one in self.listed(connection, owner)):
            raise ConfigError(f"there is a {self.word} {name!r} already. Choose another name.")
        return name
