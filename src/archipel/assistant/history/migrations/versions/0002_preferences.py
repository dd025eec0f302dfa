"""What people prefer, and what is remembered of them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "preferences",
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("instructions", sa.Text, nullable=False),
        sa.Column("tone", sa.String(16), nullable=False),
        sa.Column("model", sa.String(200)),
        sa.Column("memory", sa.Boolean, nullable=False),
    )
    op.create_table(
        "memories",
        sa.Column("id", number, primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("message", number, sa.ForeignKey("messages.id", ondelete="SET NULL"), index=True),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("changed", sa.Double),
        sa.UniqueConstraint("owner", "digest"),
    )
