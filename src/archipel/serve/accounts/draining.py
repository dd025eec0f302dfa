"""Which providers are drained: every process of the service looks once a second."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from archipel.database import Database
from archipel.errors import DatabaseError
from archipel.serve.accounts.administer import drained
from archipel.serve.providers import Directory

_LOOK_SECONDS = 1.0
_log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def draining(database: Database, directory: Directory) -> AsyncIterator[None]:
    """Keep the directory's drained providers as the database has them, for the time of the block.

    Raises:
        DatabaseError: they can't be read at first. Later, those known last stay.
    """
    directory.drained = await asyncio.to_thread(_read, database)
    looking = asyncio.create_task(_look(database, directory))
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _look(database: Database, directory: Directory) -> None:
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            found = await asyncio.to_thread(_read, database)
        except DatabaseError as error:
            _log.error("can't see which providers are drained: %s", error)
            continue
        if found != directory.drained:
            _log.info("drained providers: %s", ", ".join(found) or "none")
            directory.drained = found


def _read(database: Database) -> list[str]:
    with database.reading() as connection:
        return drained(connection)
