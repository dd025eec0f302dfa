"""`/v1/batches`, as OpenAI's clients use it."""

import uuid
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from archipel.serve.accounts.access import may_use
from archipel.serve.accounts.keys import Key
from archipel.serve.accounts.tables import batches
from archipel.serve.api_error import ApiError
from archipel.serve.batches.files_api import keep_seconds
from archipel.serve.batches.pages import Page, listed
from archipel.serve.batches.project_batches import ProjectBatches
from archipel.serve.batches.queue import NewBatch, shown
from archipel.serve.body import read_body, read_fields

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


@dataclass(frozen=True)
class BatchesApi:
    """The endpoints. `seconds` is how long a body may stand still."""

    batches: ProjectBatches
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
        key = await self.batches.key(request)
        asked = _asked(await read_body(request, self.seconds))
        may_use(key, asked.endpoint.removeprefix("/v1"))
        return JSONResponse(shown(await self.batches.make(partial(self._enter, key, asked))))

    async def list(self, request: Request) -> Response:
        key = await self.batches.key(request)
        page = Page.of(request.query_params, usual=20, most=100)
        found, more = await self.batches.page(page, batches.c.project == key.project)
        return JSONResponse(listed([shown(row) for row in found], more))

    async def retrieve(self, request: Request) -> Response:
        return JSONResponse(shown(await self.batches.named(request)))

    async def cancel(self, request: Request) -> Response:
        row = await self.batches.named(request)
        return JSONResponse(shown(await self.batches.cancel(row)))

    def _enter(self, key: Key, asked: BatchRequest) -> NewBatch:
        wanted = asked.output_expires_after
        kept = keep_seconds(wanted.anchor, wanted.seconds) if wanted else None
        id = f"batch_{uuid.uuid4().hex}"
        about = (asked.endpoint, asked.input_file_id, asked.metadata, kept)
        new = NewBatch(id, key.project, key.id, *about)
        with self.batches.access.database.writing() as connection:
            its = (key.project, asked.input_file_id)
            file = self.batches.files.found(connection, *its, locks=True)
            if file.purpose != "batch":
                message = (
                    f"input_file_id: the purpose of {file.id!r} is {file.purpose!r}, not batch."
                )
                raise ApiError(400, message, "invalid_value", "input_file_id")
            self.batches.add(connection, new)
        return new


def _asked(body: bytes) -> BatchRequest:
    return BatchRequest.model_validate(read_fields(body, BatchRequest))
