"""Collections of documents that people ask."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "collections",
        sa.Column("id", number, primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.UniqueConstraint("owner", "name"),
    )
    op.create_table(
        "documents",
        sa.Column("id", number, primary_key=True),
        sa.Column("collection", number, sa.ForeignKey("collections.id"), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, index=True),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("problem", sa.JSON(none_as_null=True)),
        sa.Column("added", sa.Double, nullable=False),
        sa.UniqueConstraint("collection", "name"),
    )
