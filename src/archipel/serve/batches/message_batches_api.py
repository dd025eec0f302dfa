"""`/v1/messages/batches`, as Anthropic's clients use it: batches of `/v1/messages`, of the queue.

The requests become an input file of the project's, and the results are read from the files of the
batch: so limits, prices, expiry and restarts are those of any batch.
"""

import logging
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Row
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from archipel.errors import IntegrityError
from archipel.serve.accounts.access import may_use
from archipel.serve.accounts.keys import Key
from archipel.serve.accounts.tables import batches
from archipel.serve.api_error import ApiError
from archipel.serve.batches import queue
from archipel.serve.batches.files import About
from archipel.serve.batches.message_batches import (
    ENDPOINT,
    PLACE,
    MessageBatchRequest,
    has_ended,
    input_lines,
    results,
    shown,
)
from archipel.serve.batches.pages import Page, listed
from archipel.serve.batches.project_batches import ProjectBatches
from archipel.serve.batches.queue import NewBatch
from archipel.serve.body import read_body, read_fields, wrong

_MOST_BYTES = 32 << 20  # of all requests of a batch: they are in memory together
_ID = "msgbatch_"
_ID_DIGITS = 30  # with what stands before them, an id has no more characters than others
_LINES_AT_ONCE = 100
_log = logging.getLogger(__name__)


class _Query(BaseModel):
    model_config = ConfigDict(extra="ignore")
    before_id: str | None = Field(default=None, max_length=64)
    after_id: str | None = Field(default=None, max_length=64)
    limit: int = Field(default=20, ge=1, le=1000)


@dataclass(frozen=True)
class MessageBatchesApi:
    """The endpoints. `seconds` is how long a body may stand still."""

    batches: ProjectBatches
    seconds: float

    @property
    def routes(self) -> list[Route]:
        """Of all of them."""
        return [
            Route(PLACE, self.create, methods=["POST"]),
            Route(PLACE, self.list),
            Route(f"{PLACE}/{{id}}", self.retrieve),
            Route(f"{PLACE}/{{id}}", self.delete, methods=["DELETE"]),
            Route(f"{PLACE}/{{id}}/cancel", self.cancel, methods=["POST"]),
            Route(f"{PLACE}/{{id}}/results", self.results),
        ]

    async def create(self, request: Request) -> Response:
        key = may_use(await self.batches.key(request), ENDPOINT.removeprefix("/v1"))
        body = await read_body(request, self.seconds, _MOST_BYTES)
        return JSONResponse(shown(await self.batches.make(partial(self._enter, key, body))))

    async def list(self, request: Request) -> Response:
        key = await self.batches.key(request)
        page = _page(request.query_params)
        its = (batches.c.project == key.project, batches.c.endpoint == ENDPOINT)
        found, more = await self.batches.page(page, *its)
        ordered = found if page.is_newest_first else found[::-1]
        return JSONResponse(listed([shown(row) for row in ordered], more))

    async def retrieve(self, request: Request) -> Response:
        return JSONResponse(shown(await self._named(request)))

    async def delete(self, request: Request) -> Response:
        row = await self._ended(request, "cancel it, or wait for its end")
        await self.batches.threads.run(partial(self._remove, row))
        return JSONResponse({"id": row.id, "type": "message_batch_deleted"})

    async def cancel(self, request: Request) -> Response:
        row = await self._named(request)
        return JSONResponse(shown(await self.batches.cancel(row)))

    async def results(self, request: Request) -> Response:
        row = await self._ended(request, "there are no results yet")
        lines = await self.batches.threads.run(partial(self._lines, row))
        try:
            first = await self._next(lines)
        except IntegrityError as error:
            _log.error("%s", error)
            message = f"The results of {row.id!r} were altered where they are kept."
            raise ApiError(500, message, "file_corrupt") from error
        rest = self._rest(first, lines)
        return StreamingResponse(rest, 200, media_type="application/x-jsonl")

    async def _rest(self, some: bytes, lines: Iterator[bytes]) -> AsyncIterator[bytes]:
        while some:
            yield some
            some = await self._next(lines)

    async def _next(self, lines: Iterator[bytes]) -> bytes:
        return await self.batches.threads.run(lambda: b"".join(islice(lines, _LINES_AT_ONCE)))

    def _lines(self, row: Row[Any]) -> Iterator[bytes]:
        ids = [id for id in (row.output_file, row.error_file) if id is not None]
        found = [self.batches.files.find(row.project, id) for id in ids]
        return chain.from_iterable(results(self.batches.files.pieces(file)) for file in found)

    def _enter(self, key: Key, body: bytes) -> NewBatch:
        lines = input_lines(read_fields(body, MessageBatchRequest)["requests"])
        id = f"{_ID}{uuid.uuid4().hex[:_ID_DIGITS]}"
        files = self.batches.files
        written = files.write(lines)
        try:
            with self.batches.access.database.writing() as connection:
                about = About(key.project, f"{id}_input.jsonl", "batch")
                file = files.enter_clients(connection, about, written)
                which = (id, key.project, key.id, ENDPOINT, file.id)
                new = NewBatch(*which, metadata=None, output_seconds=None, total_lines=len(lines))
                self.batches.add(connection, new)
        except BaseException:
            files.drop(written)
            raise
        return new

    def _remove(self, row: Row[Any]) -> None:
        """With its results; and with its requests, where it was made of them and not of a file."""
        ids = [row.output_file, row.error_file]
        ids += [row.input_file] if row.id.startswith(_ID) else []
        with self.batches.access.database.writing() as connection:
            queue.remove(connection, row.id)
            gone = self.batches.files.remove_some(connection, row.project, list(filter(None, ids)))
        for written in gone:
            self.batches.files.drop(written)

    async def _named(self, request: Request) -> Row[Any]:
        row = await self.batches.named(request)
        if row.endpoint != ENDPOINT:
            message = f"The batch {row.id!r} is of {row.endpoint}. Ask for it at /v1/batches."
            raise ApiError(404, message, "batch_not_found")
        return row

    async def _ended(self, request: Request, otherwise: str) -> Row[Any]:
        row = await self._named(request)
        if not has_ended(row):
            message = f"The batch {row.id!r} has not ended: {otherwise}."
            raise ApiError(400, message, "batch_not_ended")
        return row


def _page(query: QueryParams) -> Page:
    try:
        asked = _Query.model_validate(dict(query))
    except ValidationError as error:
        raise wrong(error) from None
    if asked.before_id is not None:
        return Page(asked.limit, asked.before_id, is_newest_first=False)
    return Page(asked.limit, asked.after_id)
