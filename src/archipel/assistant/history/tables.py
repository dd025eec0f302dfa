"""The tables of conversations and of what people want, as the newest migration leaves them.

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
    Boolean,
    Column,
    Connection,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
)

_Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up INTEGER keys only
metadata = MetaData()
NEWEST = "0005"  # the migration that makes them as they are here

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
preferences = Table(
    "preferences",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("instructions", Text, nullable=False),
    Column("tone", String(16), nullable=False),
    Column("model", String(200)),  # to begin with; null: the service's first
    Column("memory", Boolean, nullable=False),  # whether facts are remembered and used
)
memories = Table(
    "memories",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("digest", String(64), nullable=False),  # of the text's words: none is there twice
    Column("origin", Text, nullable=False),  # the sentence that it came from, as it was written
    Column("message", _Number, ForeignKey("messages.id", ondelete="SET NULL"), index=True),
    Column("created", Double, nullable=False),
    Column("changed", Double),  # when its person corrected it
    UniqueConstraint("owner", "digest"),
)
pictures = Table(
    "pictures",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("message", _Number, ForeignKey("messages.id"), index=True),  # null: not yet sent
    Column("media_type", String(32), nullable=False),  # image/png, image/jpeg, image/webp
    Column("width", Integer, nullable=False),  # in pixels, as the height
    Column("height", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("prompt", Text),  # that it was made of; null: its person gave it
    Column("seed", BigInteger),
    Column("created", Double, nullable=False),
)
collections = Table(
    "collections",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("name", String(120), nullable=False),
    Column("project", String(64), index=True),  # of the service, that it is shared with
    UniqueConstraint("owner", "name"),
)
documents = Table(
    "documents",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("collection", _Number, ForeignKey("collections.id"), nullable=False),
    Column("name", String(200), nullable=False),  # in one line, without folders
    Column("digest", String(64), nullable=False, index=True),  # SHA-256 of its bytes
    Column("bytes", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),  # reading, ready, failed
    Column("problem", JSON(none_as_null=True)),  # why it can't be read: code, message
    Column("added", Double, nullable=False),
    UniqueConstraint("collection", "name"),
)


def add_row(connection: Connection, table: Table, values: Mapping[str, Any]) -> int:
    """A new row; gives its id."""
    key = connection.execute(insert(table).values(**values)).inserted_primary_key
    assert key is not None  # each table has one
    return int(key[0])
