"""The tables of conversations, as the newest migration leaves them.

`owner` is whose a row is: a person's name for the service, or `local` where nobody logs in. Times
are seconds since the epoch. Beside these tables each database has its own way to search: FTS5
tables in SQLite, columns of `tsvector` in PostgreSQL; the migrations make them, and triggers keep
them.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Double,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
)

_Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up INTEGER keys only
metadata = MetaData()
NEWEST = "0001"  # the migration that makes them as they are here

folders = Table(
    "folders",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("name", String(120), nullable=False),
    UniqueConstraint("owner", "name"),
)
conversations = Table(
    "conversations",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("title", Text, nullable=False),  # empty until there is one
    Column("folder", _Number, ForeignKey("folders.id", ondelete="SET NULL"), index=True),
    Column("pinned", Double),  # when; null: not
    Column("created", Double, nullable=False),
    Column("changed", Double, nullable=False),
    Column("shown", BigInteger),  # the last message of the branch that is shown
    Column("share_digest", String(64), unique=True),  # of the link that opens it to others
    Column("source", String(200)),  # what an import calls it; null: born here
    UniqueConstraint("owner", "source"),
)
messages = Table(
    "messages",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("conversation", _Number, ForeignKey("conversations.id"), nullable=False, index=True),
    Column("parent", _Number, ForeignKey("messages.id"), index=True),
    Column("role", String(16), nullable=False),  # system, user, assistant
    Column("text", Text, nullable=False),
    Column("status", String(16), nullable=False),  # done, growing, stopped, failed
    Column("created", Double, nullable=False),
    Column("model", String(200)),  # who answered
    Column("facts", JSON(none_as_null=True)),  # of an answer: tokens, seconds, place, error
)


def add_row(connection: Connection, table: Table, values: Mapping[str, Any]) -> int:
    """A new row; gives its id."""
    key = connection.execute(insert(table).values(**values)).inserted_primary_key
    assert key is not None  # each table has one
    return int(key[0])
