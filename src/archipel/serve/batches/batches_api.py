"""`/v1/batches`, as OpenAI's clients use it."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, Row
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from archipel.serve.accounts.access import AccountAccess, may_use
from archipel.serve.accounts.keys import Key
from archipel.serve.accounts.tables import batches
from archipel.serve.api_error import ApiError, retry_after
from archipel.serve.batches import queue
from archipel.serve.batches.files import Files
from archipel.serve.batches.files_api import Threads, keep_seconds
from archipel.serve.batches.pages import Page, listed, rows
from archipel.serve.batches.queue import NewBatch
from archipel.serve.body import read_body, read_fields

_UNFINISHED = 200  # batches that a project may have
_Name = Annotated[str, Field(max_length=64)]
_Value = Annotated[str, Field(max_length=512)]


class BatchExpires(BaseModel):
    """For how long a batch's files are kept."""

    model_config = ConfigDict(extra="forbid", strict=True)
    anchor: Literal["created_at"]
    seconds: int


class BatchRequest(BaseModel):
    """Of POST /v1/batches."""

    model_config = ConfigDict(extra="ignore", strict=True)
    input_file_id: str = Field(max_length=64)
    endpoint: Literal[
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/responses",
        "/v1/messages",
    ]
    completion_window: Literal["24h"]
    metadata: dict[_Name, _Value] | None = Field(default=None, max_length=16)
    output_expires_after: BatchExpires | None = None


@dataclass
class BatchesApi:
    """The endpoints. `wake` is told when there is something to do."""

    files: Files
    access: AccountAccess
    threads: Threads
    wake: Callable[[], None]
    seconds: float

    @property
    def routes(self) -> list[Route]:
        """Of all of them."""
        return [
            Route("/v1/batches", self.create, methods=["POST"]),
            Route("/v1/batches", self.list),
            Route("/v1/batches/{id}", self.retrieve),
            Route("/v1/batches/{id}/cancel", self.cancel, methods=["POST"]),
        ]

    async def create(self, request: Request) -> Response:
        key = await self._key(request)
        asked = _asked(await read_body(request, self.seconds))
        may_use(key, asked.endpoint.removeprefix("/v1"))
        row = await self.threads.run(partial(self._create, key, asked))
        self.wake()
        return JSONResponse(queue.shown(row))

    async def list(self, request: Request) -> Response:
        key = await self._key(request)
        page = Page.of(request.query_params, usual=20, most=100)

        def read() -> dict[str, Any]:
            with self.access.database.reading() as connection:
                found, more = rows(connection, batches, page, batches.c.project == key.project)
            return listed([queue.shown(row) for row in found], more)

        return JSONResponse(await self.threads.run(read))

    async def retrieve(self, request: Request) -> Response:
        key, id = await self._key(request), request.path_params["id"]
        row = await self.threads.run(partial(find, self.access, key.project, id))
        return JSONResponse(queue.shown(row))

    async def cancel(self, request: Request) -> Response:
        key, id = await self._key(request), request.path_params["id"]
        row = await self.threads.run(partial(cancel, self.access, key.project, id))
        self.wake()
        return JSONResponse(queue.shown(row))

    def _create(self, key: Key, asked: BatchRequest) -> Row[Any]:
        wanted = asked.output_expires_after
        kept = keep_seconds(wanted.anchor, wanted.seconds) if wanted else None
        id = f"batch_{uuid.uuid4().hex}"
        about = (asked.endpoint, asked.input_file_id, asked.metadata, kept)
        with self.access.database.writing() as connection:
            file = self.files.found(connection, key.project, asked.input_file_id, locks=True)
            if file.purpose != "batch":
                message = (
                    f"input_file_id: the purpose of {file.id!r} is {file.purpose!r}, not batch."
                )
                raise ApiError(400, message, "invalid_value", "input_file_id")
            check_room(connection, key.project)
            new = NewBatch(id, key.project, key.id, *about)
            queue.add(connection, new, self.access.clock())
        return find(self.access, key.project, id)

    async def _key(self, request: Request) -> Key:
        return await self.access.key(request, "/batches")


def check_room(connection: Connection, project: int) -> None:
    """Whether a project may have another batch.

    Raises:
        ApiError: it has too many that have not ended.
    """
    if queue.unfinished(connection, project) >= _UNFINISHED:
        message = f"The project has {_UNFINISHED} batches under way. Wait for one's end."
        raise ApiError(429, message, "rate_limit_exceeded", headers=retry_after(60))


def find(access: AccountAccess, project: int, id: str) -> Row[Any]:
    """A project's batch.

    Raises:
        ApiError: it has none of this id.
    """
    with access.database.reading() as connection:
        row = queue.find(connection, project, id)
    if row is None:
        raise ApiError(404, f"There is no batch {id!r}.", "batch_not_found", "batch_id")
    return row


def cancel(access: AccountAccess, project: int, id: str) -> Row[Any]:
    """A project's batch, which is to end.

    Raises:
        ApiError: there is none of this id, or it has ended already.
    """
    with access.database.writing() as connection:
        queue.cancel(connection, project, id, access.clock())
    row = find(access, project, id)
    if row.status not in ("cancelling", "cancelled"):
        message = f"The batch {id!r} is {row.status}: it can't be cancelled."
        raise ApiError(409, message, "batch_ended")
    return row


def _asked(body: bytes) -> BatchRequest:
    return BatchRequest.model_validate(read_fields(body, BatchRequest))
