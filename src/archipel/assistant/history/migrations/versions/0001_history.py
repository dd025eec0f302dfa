"""Folders, conversations, messages, and the words in them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# Accents are folded in both. A growing message is not searched: its words come when it is whole.
_OUT = "INSERT INTO {0}_words({0}_words, rowid, {0}) VALUES ('delete', old.id, old.{0});"
_IN = "INSERT INTO {0}_words(rowid, {0}) VALUES (new.id, new.{0});"
_TITLE_OUT, _TITLE_IN = _OUT.format("title"), _IN.format("title")
_TEXT_OUT, _TEXT_IN = _OUT.format("text"), _IN.format("text")
_FTS = "tokenize='unicode61 remove_diacritics 2', content_rowid='id'"
_SQLITE = (
    f"CREATE VIRTUAL TABLE title_words USING fts5(title, content='conversations', {_FTS})",
    f"CREATE TRIGGER title_in AFTER INSERT ON conversations BEGIN {_TITLE_IN} END",
    f"CREATE TRIGGER title_out AFTER DELETE ON conversations BEGIN {_TITLE_OUT} END",
    "CREATE TRIGGER title_changed AFTER UPDATE OF title ON conversations "
    f"BEGIN {_TITLE_OUT} {_TITLE_IN} END",
    f"CREATE VIRTUAL TABLE text_words USING fts5(text, content='messages', {_FTS})",
    "CREATE TRIGGER text_in AFTER INSERT ON messages WHEN new.status <> 'growing' "
    f"BEGIN {_TEXT_IN} END",
    "CREATE TRIGGER text_out AFTER DELETE ON messages WHEN old.status <> 'growing' "
    f"BEGIN {_TEXT_OUT} END",
    "CREATE TRIGGER text_done AFTER UPDATE OF text, status ON messages "
    f"WHEN old.status = 'growing' AND new.status <> 'growing' BEGIN {_TEXT_IN} END",
)
_FOLDED = "translate(lower({0}), 'àâäáãåçéèêëíìîïñóòôöõúùûüýÿ', 'aaaaaaceeeeiiiinooooouuuuyy')"
_POSTGRESQL = (
    "ALTER TABLE conversations ADD COLUMN title_words tsvector GENERATED ALWAYS AS "
    f"(to_tsvector('simple', {_FOLDED.format('title')})) STORED",
    "CREATE INDEX conversations_title_words ON conversations USING gin (title_words)",
    "ALTER TABLE messages ADD COLUMN text_words tsvector GENERATED ALWAYS AS "
    "(CASE WHEN status <> 'growing' "
    f"THEN to_tsvector('simple', {_FOLDED.format('left(text, 200000)')}) END) STORED",
    "CREATE INDEX messages_text_words ON messages USING gin (text_words)",
)


def upgrade() -> None:
    """Make the tables."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "folders",
        sa.Column("id", number, primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.UniqueConstraint("owner", "name"),
    )
    op.create_table(
        "conversations",
        sa.Column("id", number, primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("folder", number, sa.ForeignKey("folders.id", ondelete="SET NULL"), index=True),
        sa.Column("pinned", sa.Double),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("changed", sa.Double, nullable=False),
        sa.Column("shown", sa.BigInteger),
        sa.Column("share_digest", sa.String(64), unique=True),
        sa.Column("source", sa.String(200)),
        sa.UniqueConstraint("owner", "source"),
    )
    op.create_index("conversations_listed", "conversations", ["owner", "changed"])
    op.create_table(
        "messages",
        sa.Column("id", number, primary_key=True),
        sa.Column(
            "conversation", number, sa.ForeignKey("conversations.id"), nullable=False, index=True
        ),
        sa.Column("parent", number, sa.ForeignKey("messages.id"), index=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("model", sa.String(200)),
        sa.Column("facts", sa.JSON(none_as_null=True)),
    )
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE if sqlite else _POSTGRESQL:
        op.execute(statement)
