"""The project that a collection is shared with."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column."""
    op.add_column("collections", sa.Column("project", sa.String(64)))
    op.create_index("ix_collections_project", "collections", ["project"])
