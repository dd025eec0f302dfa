"""Drained providers and shadowed routes: every process of the service looks once a second."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from archipel.database import Database
from archipel.errors import DatabaseError
from archipel.serve.accounts.administer import drained, shadowed
from archipel.serve.providers import Directory
from archipel.serve.shadow import Shadow

_LOOK_SECONDS = 1.0
_log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def following(database: Database, directory: Directory) -> AsyncIterator[None]:
    """Keep the directory as the database's orders have it, for the time of the block.

    Raises:
        DatabaseError: they can't be read at first. Later, those known last stay.
    """
    _follow(directory, *await asyncio.to_thread(_read, database))
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
        _follow(directory, *found)


def _follow(directory: Directory, providers: list[str], shadows: dict[str, Shadow]) -> None:
    if providers != directory.drained:
        _log.info("drained providers: %s", ", ".join(providers) or "none")
        directory.drained = providers
    if shadows != directory.shadows:
        _log.info("shadowed routes: %s", ", ".join(shadows) or "none")
        directory.shadows = shadows


def _read(database: Database) -> tuple[list[str], dict[str, Shadow]]:
    with database.reading() as connection:
        return drained(connection), shadowed(connection)
