"""Content rules; projects that keep what is asked and answered, and that."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "rules",
        sa.Column("id", number, primary_key=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("scope_id", sa.BigInteger, nullable=False),
        sa.Column("sides", sa.JSON, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("match", sa.Text, nullable=False),
        sa.Column("act", sa.String(16), nullable=False),
        sa.Column("since", sa.Double, nullable=False),
    )
    op.create_table(
        "keeps",
        sa.Column("project", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("days", sa.Double, nullable=False),
        sa.Column("share", sa.Double, nullable=False),
        sa.Column("since", sa.Double, nullable=False),
    )
    op.create_table(
        "exchanges",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("time", sa.Double, nullable=False, index=True),
        sa.Column("expires", sa.Double, nullable=False, index=True),
        sa.Column("project", sa.BigInteger, nullable=False, index=True),
        sa.Column("key", sa.BigInteger, nullable=False),
        sa.Column("endpoint", sa.String(64), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("provider", sa.String(128), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("completion_tokens", sa.BigInteger, nullable=False),
        sa.Column("question", sa.LargeBinary, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("whole", sa.Boolean, nullable=False),
    )
