"""The assistant's database, for code that must not wait: each transaction in a thread.

One thread writes, since SQLite has one writer at a time; others read beside it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection

from archipel.database import Database

_Found = TypeVar("_Found")
_READERS = 4


class Desk:
    """Reads and writes in `database`; `clock` gives seconds since the epoch."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._database = database
        self._readers = ThreadPoolExecutor(_READERS, "assistant-reads")
        self._writer = ThreadPoolExecutor(1, "assistant-writes")

    async def reading(self, look: Callable[[Connection], _Found]) -> _Found:
        """What `look` finds.

        Raises:
            DatabaseError: it can't be read.
        """

        def run() -> _Found:
            with self._database.reading() as connection:
                return look(connection)

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    async def writing(self, act: Callable[[Connection, float], _Found]) -> _Found:
        """Do something in one transaction, with the time.

        Raises:
            DatabaseError: it can't be written; nothing was.
        """

        def run() -> _Found:
            with self._database.writing() as connection:
                return act(connection, self.clock())

        return await asyncio.get_running_loop().run_in_executor(self._writer, run)

    def close(self) -> None:
        """End the threads, when what they do is done, and the database's connections."""
        self._writer.shutdown()
        self._readers.shutdown()
        self._database.close()
