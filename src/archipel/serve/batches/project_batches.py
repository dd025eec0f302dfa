"""What `/v1/batches` and `/v1/messages/batches` do alike with a project's batches, in threads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row
from starlette.requests import Request

from archipel.serve.accounts.access import AccountAccess
from archipel.serve.accounts.keys import Key
from archipel.serve.accounts.tables import batches
from archipel.serve.api_error import ApiError, retry_after
from archipel.serve.batches import queue
from archipel.serve.batches.files import Files
from archipel.serve.batches.files_api import Threads
from archipel.serve.batches.pages import Page, rows
from archipel.serve.batches.queue import NewBatch

_UNFINISHED = 200  # batches that a project may have


@dataclass(frozen=True)
class ProjectBatches:
    """Batches of projects. `wake` is told when there is something to do, `stop` which batch is to
    have no more of its lines asked."""

    files: Files
    access: AccountAccess
    threads: Threads
    wake: Callable[[], None]
    stop: Callable[[str], None]

    async def key(self, request: Request) -> Key:
        """Whose the request is.

        Raises:
            ApiError: no key that may use batches.
        """
        return await self.access.key(request, "/batches")

    async def make(self, enter: Callable[[], NewBatch]) -> Row[Any]:
        """The batch that `enter` puts into the queue.

        Raises:
            ApiError: as `enter` does.
        """
        new = await self.threads.run(enter)
        self.wake()
        return await self.threads.run(partial(self._find, new.project, new.id))

    def add(self, connection: Connection, new: NewBatch) -> None:
        """Put a batch into the queue, in the transaction that is given.

        Raises:
            ApiError: its project has too many that have not ended.
        """
        if queue.unfinished(connection, new.project) >= _UNFINISHED:
            message = f"The project has {_UNFINISHED} batches under way. Wait for one's end."
            raise ApiError(429, message, "rate_limit_exceeded", headers=retry_after(60))
        queue.add(connection, new, self.access.clock())

    async def page(
        self, page: Page, *where: ColumnElement[bool]
    ) -> tuple[Sequence[Row[Any]], bool]:
        """As `pages.rows`, of batches."""

        def read() -> tuple[Sequence[Row[Any]], bool]:
            with self.access.database.reading() as connection:
                return rows(connection, batches, page, *where)

        return await self.threads.run(read)

    async def named(self, request: Request) -> Row[Any]:
        """The batch in the request's path.

        Raises:
            ApiError: the project of the key has none of this id.
        """
        key = await self.key(request)
        return await self.threads.run(partial(self._find, key.project, request.path_params["id"]))

    async def cancel(self, row: Row[Any]) -> Row[Any]:
        """The same batch, which is to end.

        Raises:
            ApiError: it has ended already.
        """
        row = await self.threads.run(partial(self._cancel, row))
        self.stop(row.id)
        return row

    def _find(self, project: int, id: str) -> Row[Any]:
        with self.access.database.reading() as connection:
            row = queue.find(connection, project, id)
        if row is None:
            raise ApiError(404, f"There is no batch {id!r}.", "batch_not_found", "batch_id")
        return row

    def _cancel(self, row: Row[Any]) -> Row[Any]:
        with self.access.database.writing() as connection:
            queue.cancel(connection, row.id, self.access.clock())
        row = self._find(row.project, row.id)
        if row.status not in ("cancelling", "cancelled"):
            message = f"The batch {row.id!r} is {row.status}: it can't be cancelled."
            raise ApiError(409, message, "batch_ended")
        return row
