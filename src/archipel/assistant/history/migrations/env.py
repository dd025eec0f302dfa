"""Alembic's way in: runs the versions on the connection that `archipel.database` gives."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
