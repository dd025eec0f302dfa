"""`/v1/files`, as OpenAI's clients use it."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import BinaryIO, TypeVar
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from archipel.errors import DatabaseError, IntegrityError, StoreError
from archipel.serve.accounts.access import AccountAccess, no_books
from archipel.serve.api_error import ApiError, retry_after
from archipel.serve.batches.files import About, File, Files
from archipel.serve.batches.pages import Page, listed
from archipel.serve.batches.upload import Upload, check_announced, uploaded

PURPOSES = ("assistants", "batch", "evals", "fine-tune", "user_data", "vision")
KEEP_SECONDS = (3600, 30 * 24 * 3600)  # least and most, as OpenAI's
_MOST_LISTED = 10_000
_UPLOADS = 8  # at once, in a process
_NAME = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,255}")
_READ_BYTES = 1 << 20
_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)


@dataclass
class Threads:
    """Where what blocks goes on: not among what live requests wait for."""

    executor: Executor

    async def run(self, work: Callable[[], _Result]) -> _Result:
        """What it gives.

        Raises:
            ApiError: the database or the store can't be used.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self.executor, work)
        except DatabaseError as error:
            raise no_books() from error
        except StoreError as error:
            message = "The service can't reach its files. Send the request again."
            headers = retry_after(5)
            raise ApiError(503, message, "files_unavailable", headers=headers) from error


@dataclass
class FilesApi:
    """The endpoints. `seconds` is how long an upload may stand still."""

    files: Files
    access: AccountAccess
    threads: Threads
    seconds: float
    _uploads: int = field(default=0)

    @property
    def routes(self) -> list[Route]:
        """Of all of them."""
        return [
            Route("/v1/files", self.create, methods=["POST"]),
            Route("/v1/files", self.list),
            Route("/v1/files/{id}", self.retrieve),
            Route("/v1/files/{id}", self.delete, methods=["DELETE"]),
            Route("/v1/files/{id}/content", self.content),
        ]

    async def create(self, request: Request) -> Response:
        project = await self._project(request)
        announced = check_announced(request, self.files.most_bytes)
        await self.threads.run(lambda: self.files.check_room(project, announced))
        if self._uploads >= _UPLOADS:
            message = f"{_UPLOADS} files are being sent just now. Send yours later."
            raise ApiError(429, message, "rate_limit_exceeded", headers=retry_after(5))
        self._uploads += 1
        try:
            async with uploaded(request, self.files.most_bytes, self.seconds) as upload:
                about = _about(project, upload)
                source = _read(upload.file.file)
                file = await self.threads.run(lambda: self.files.add(about, source))
        finally:
            self._uploads -= 1
        return JSONResponse(file.shown())

    async def list(self, request: Request) -> Response:
        project = await self._project(request)
        page = Page.of(request.query_params, usual=_MOST_LISTED, most=_MOST_LISTED)
        purpose = request.query_params.get("purpose")
        found, more = await self.threads.run(lambda: self.files.list(project, page, purpose))
        return JSONResponse(listed([file.shown() for file in found], more))

    async def retrieve(self, request: Request) -> Response:
        return JSONResponse((await self._file(request)).shown())

    async def delete(self, request: Request) -> Response:
        project, id = await self._project(request), request.path_params["id"]
        await self.threads.run(lambda: self.files.remove(project, id))
        return JSONResponse({"id": id, "object": "file", "deleted": True})

    async def content(self, request: Request) -> Response:
        file = await self._file(request)
        pieces = self.files.pieces(file)
        try:
            first = await self._next(pieces)
        except IntegrityError as error:
            _log.error("%s", error)
            message = f"{file.id} was altered where it is kept. Send the file again."
            raise ApiError(500, message, "file_corrupt") from error
        headers = {
            "Content-Length": str(file.size_bytes),
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name)}",
            "X-Content-Type-Options": "nosniff",
        }
        rest = self._rest(first, pieces)
        return StreamingResponse(rest, 200, headers, "application/octet-stream")

    async def _rest(self, piece: bytes | None, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
        """All of it; a piece that was altered breaks the answer off, short of its length."""
        while piece is not None:
            yield piece
            piece = await self._next(pieces)

    async def _next(self, pieces: Iterator[bytes]) -> bytes | None:
        return await self.threads.run(lambda: next(pieces, None))

    async def _file(self, request: Request) -> File:
        project, id = await self._project(request), request.path_params["id"]
        return await self.threads.run(lambda: self.files.find(project, id))

    async def _project(self, request: Request) -> int:
        return (await self.access.key(request, "/files")).project


def keep_seconds(anchor: object, seconds: object) -> float | None:
    """For how long a client wants a file kept; None if it does not say.

    Raises:
        ApiError: it says it in a way that is not OpenAI's.
    """
    if anchor is None and seconds is None:
        return None
    least, most = KEEP_SECONDS
    if anchor != "created_at" or not isinstance(seconds, int) or not least <= seconds <= most:
        message = f"expires_after: anchor must be created_at, seconds {least:,} to {most:,}."
        raise ApiError(400, message, "invalid_value", "expires_after")
    return float(seconds)


def _about(project: int, upload: Upload) -> About:
    purpose, name = upload.fields.get("purpose"), upload.file.filename or ""
    if purpose not in PURPOSES:
        message = f"purpose: {purpose!r} is not one of {', '.join(PURPOSES)}."
        raise ApiError(400, message, "invalid_value", "purpose")
    if not _NAME.fullmatch(name):
        message = "The file's name must have 1 to 255 characters, none of them a control character."
        raise ApiError(400, message, "invalid_value", "file")
    return About(project, name, purpose, _kept(upload.fields))


def _kept(fields: Mapping[str, str]) -> float | None:
    seconds = fields.get("expires_after[seconds]")
    number = int(seconds) if seconds and seconds.isascii() and seconds.isdecimal() else seconds
    return keep_seconds(fields.get("expires_after[anchor]"), number)


def _read(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_READ_BYTES):
        yield piece
