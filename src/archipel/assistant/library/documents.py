"""The documents of collections: rows of the assistant's database, with how far each is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, delete, func, select, update

from archipel.assistant.history.tables import add_row
from archipel.assistant.history.tables import collections as collections_table
from archipel.assistant.history.tables import documents as table
from archipel.assistant.library import collections
from archipel.assistant.library.collections import Collection, May
from archipel.assistant.people import Person
from archipel.errors import ConfigError, NotFound

Status = Literal["reading", "ready", "failed"]
_DOCUMENTS = 2_000  # of a collection


@dataclass(frozen=True, kw_only=True)
class Document:
    """A row; `owner` is whose collection it is in; `problem` of one that can't be read has `code`
    and `message`."""

    id: int
    owner: str
    collection: int
    name: str
    digest: str
    bytes: int
    status: Status
    problem: Mapping[str, Any] | None
    added: float


def listed(
    connection: Connection, person: Person, collection: int, wants: May = "read"
) -> list[Document]:
    """Those of a collection that a person may do this with, by name.

    Raises:
        NotFound, NotAllowed: as `collections.find`.
    """
    collections.find(connection, person, collection, wants)
    query = _joined().where(table.c.collection == collection)
    rows = connection.execute(query.order_by(func.lower(table.c.name), table.c.id))
    return [_read(row) for row in rows]


def find(connection: Connection, person: Person, document: int, wants: May = "read") -> Document:
    """One of a collection that a person may do this with.

    Raises:
        NotFound: it is not there, or not for them to read.
        NotAllowed: they may read it, and not do this.
    """
    query = _joined().where(table.c.id == document, collections.readable(person))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(
            f"there is no document {document} that is yours or shared with you. It may be "
            "deleted, or not shared any more."
        )
    collections.find(connection, person, row.collection, wants)
    return _read(row)


def ready(
    connection: Connection, person: Person, wanted: Sequence[int]
) -> Mapping[tuple[str, str], Document]:
    """The documents that can be asked, of those collections that a person may read, by what the
    library knows them by: the collection's id as text, and the name."""
    its = (collections.readable(person), table.c.collection.in_(wanted))
    rows = connection.execute(_joined().where(*its, table.c.status == "ready"))
    return {(str(row.collection), row.name): _read(row) for row in rows}


def begin(
    connection: Connection, collection: Collection, name: str, digest: str, size: int, now: float
) -> tuple[Document, str | None]:
    """A document that is going to be read, or other bytes for one of this name; the digest of the
    bytes that were there, None if there were none.

    The caller has found the collection to be one that whoever asks may change.

    Raises:
        ConfigError: the collection has too many.
    """
    here = table.c.collection == collection.id
    before = connection.execute(select(table).where(here, table.c.name == name)).one_or_none()
    count = connection.execute(select(func.count()).select_from(table).where(here)).scalar_one()
    if before is None and count >= _DOCUMENTS:
        raise ConfigError(f"a collection has {_DOCUMENTS} documents at most. Make another one.")
    values = {"digest": digest, "bytes": size, "status": "reading", "problem": None, "added": now}
    if before is None:
        values |= {"collection": collection.id, "name": name}
        id_ = add_row(connection, table, values)
    else:
        id_ = before.id
        connection.execute(update(table).where(table.c.id == id_).values(values))
    row = connection.execute(_joined().where(table.c.id == id_)).one()
    return _read(row), before.digest if before else None


def end(
    connection: Connection, document: int, status: Status, problem: Mapping[str, Any] | None
) -> Document | None:
    """A document is read, or can't be; gives it, None if it was deleted meanwhile."""
    its = table.c.id == document
    connection.execute(update(table).where(its).values(status=status, problem=problem))
    row = connection.execute(_joined().where(its)).one_or_none()
    return _read(row) if row else None


def erase(connection: Connection, document: int) -> None:
    """Delete the row."""
    connection.execute(delete(table).where(table.c.id == document))


def is_used(connection: Connection, digest: str) -> bool:
    """Whether a document has these bytes."""
    query = select(table.c.id).where(table.c.digest == digest).limit(1)
    return connection.execute(query).one_or_none() is not None


def cut_off(connection: Connection) -> None:
    """Documents that were being read when the assistant ended are not read."""
    reading = table.c.status == "reading"
    problem = {"code": "cut_off", "message": "The assistant ended. Add the file again."}
    connection.execute(update(table).where(reading).values(status="failed", problem=problem))


def _joined() -> Select[Any]:
    its = collections_table.c.id == table.c.collection
    return select(table, collections_table.c.owner).join(collections_table, its)


def _read(row: Row[Any]) -> Document:
    return Document(
        id=row.id,
        owner=row.owner,
        collection=row.collection,
        name=row.name,
        digest=row.digest,
        bytes=row.bytes,
        status=row.status,
        problem=row.problem,
        added=row.added,
    )
