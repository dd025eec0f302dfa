"""One's collections of documents: rows of the assistant's database."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete

from archipel.assistant.history.named import Names
from archipel.assistant.history.tables import collections as table

_collections = Names(table, "collection", most=200)
listed, find = _collections.listed, _collections.find
make, rename = _collections.make, _collections.rename


def still_there(connection: Connection, owner: str, wanted: Sequence[int]) -> list[int]:
    """Those of the wanted that the owner has."""
    mine = {one.id for one in listed(connection, owner)}
    return [one for one in wanted if one in mine]


def erase(connection: Connection, collection: int) -> None:
    """Delete it; its documents are gone before."""
    connection.execute(delete(table).where(table.c.id == collection))
