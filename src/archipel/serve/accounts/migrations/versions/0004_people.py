"""People, what they are in projects, their sessions, attempts to log in; whose a key is."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables and the keys' column."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "people",
        sa.Column("id", number, primary_key=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("email", sa.String(254)),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("password", sa.Text),
        sa.Column("issuer", sa.Text),
        sa.Column("subject", sa.String(255)),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("disabled", sa.Double),
        sa.UniqueConstraint("issuer", "subject"),
    )
    op.create_table(
        "memberships",
        sa.Column("person", number, sa.ForeignKey("people.id"), primary_key=True),
        sa.Column("project", number, sa.ForeignKey("projects.id"), primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("person", number, sa.ForeignKey("people.id"), nullable=False, index=True),
        sa.Column("began", sa.Double, nullable=False),
        sa.Column("seen", sa.Double, nullable=False),
    )
    op.create_table(
        "attempts",
        sa.Column("who", sa.String(64), primary_key=True),
        sa.Column("failures", sa.BigInteger, nullable=False),
        sa.Column("last", sa.Double, nullable=False, index=True),
    )
    kind = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    op.execute(f"ALTER TABLE keys ADD COLUMN person {kind} REFERENCES people (id)")
