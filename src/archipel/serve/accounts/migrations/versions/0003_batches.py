"""Files, batches made from them, and which requests were a batch's lines."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables, and usage's column."""
    op.add_column("usage", sa.Column("batch", sa.String(40)))
    op.create_table(
        "files",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("project", _NUMBER, sa.ForeignKey("projects.id"), nullable=False, index=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("digests", sa.JSON, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("expires", sa.Double, nullable=False, index=True),
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("project", _NUMBER, sa.ForeignKey("projects.id"), nullable=False, index=True),
        sa.Column("key", _NUMBER, sa.ForeignKey("keys.id"), nullable=False),
        sa.Column("endpoint", sa.String(64), nullable=False),
        sa.Column("input_file", sa.String(40), nullable=False),
        sa.Column("metadata", sa.JSON),
        sa.Column("output_seconds", sa.Double),
        sa.Column("status", sa.String(16), nullable=False, index=True),
        sa.Column("worker", sa.String(36)),
        sa.Column("created", sa.Double),
        sa.Column("expires", sa.Double),
        sa.Column("in_progress", sa.Double),
        sa.Column("finalizing", sa.Double),
        sa.Column("completed", sa.Double),
        sa.Column("failed", sa.Double),
        sa.Column("expired", sa.Double),
        sa.Column("cancelling", sa.Double),
        sa.Column("cancelled", sa.Double),
        sa.Column("total_lines", sa.Integer, nullable=False),
        sa.Column("right_lines", sa.Integer, nullable=False),
        sa.Column("wrong_lines", sa.Integer, nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("completion_tokens", sa.BigInteger, nullable=False),
        sa.Column("errors", sa.JSON),
        sa.Column("output_file", sa.String(40)),
        sa.Column("error_file", sa.String(40)),
    )
    op.create_table(
        "batch_answers",
        sa.Column("batch", sa.String(40), sa.ForeignKey("batches.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("is_right", sa.Boolean, nullable=False),
        sa.Column("line", sa.LargeBinary, nullable=False),
    )
