"""Shadowed routes, and how candidates' answers compare."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "shadows",
        sa.Column("route", sa.String(128), primary_key=True),
        sa.Column("candidate", sa.String(128), nullable=False),
        sa.Column("share", sa.Double, nullable=False),
        sa.Column("since", sa.Double, nullable=False),
    )
    op.create_table(
        "shadow_answers",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("route", sa.String(128), nullable=False, index=True),
        sa.Column("candidate", sa.String(128), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("provider", sa.String(128), nullable=False),
        sa.Column("candidate_provider", sa.String(128)),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("candidate_seconds", sa.Double, nullable=False),
        sa.Column("completion_tokens", sa.BigInteger, nullable=False),
        sa.Column("candidate_completion_tokens", sa.BigInteger),
        sa.Column("nanos", sa.BigInteger, nullable=False),
        sa.Column("candidate_nanos", sa.BigInteger),
        sa.Column("words", sa.Double),
        sa.Column("same", sa.Boolean),
        sa.Column("calls_agree", sa.Boolean),
    )
