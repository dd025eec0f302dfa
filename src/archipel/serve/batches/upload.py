"""A file that a client sends as a form: read within a limit of size and of time."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from archipel.serve.api_error import ApiError

_AROUND_BYTES = 64 << 10  # the form's own, and its other fields
_SLOWEST_BYTES_A_SECOND = 64 << 10
_FIELDS = 8
_FIELD_BYTES = 1 << 10


@dataclass(frozen=True)
class Upload:
    """What came: the file, on disk if it is large, and the other fields."""

    file: UploadFile
    fields: Mapping[str, str]


class _Form(MultiPartParser):
    """A form that knows whether its last boundary has come."""

    is_whole = False

    def on_end(self) -> None:
        self.is_whole = True


def check_announced(request: Request, most_bytes: int) -> int:
    """How large the request says that it is; 0 if it does not.

    Raises:
        ApiError: that is too large for a file of at most so many bytes.
    """
    announced = int(request.headers.get("content-length", 0))
    if announced > most_bytes + _AROUND_BYTES:
        raise _too_long(most_bytes)
    return announced


@contextlib.asynccontextmanager
async def uploaded(request: Request, most_bytes: int, seconds: float) -> AsyncIterator[Upload]:
    """The form, for the time of the block. `seconds` is how long it may stand still.

    Raises:
        ApiError: it is no such form, is too long or too slow, or ends in the middle.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise ApiError(400, "Send the file as multipart/form-data.", "invalid_form")
    form: _Form  # which the stream asks whether it is whole
    pieces = _bounded(request, most_bytes, seconds, lambda: form.is_whole)
    form = _Form(
        request.headers, pieces, max_files=1, max_fields=_FIELDS, max_part_size=_FIELD_BYTES
    )
    try:
        found = await form.parse()
    except MultiPartException as error:
        raise ApiError(400, f"The form can't be read: {error.message}", "invalid_form") from None
    try:
        file = found.get("file")
        if not isinstance(file, UploadFile):
            raise ApiError(400, "The form has no file.", "invalid_form", "file")
        fields = {name: text for name, text in found.items() if isinstance(text, str)}
        yield Upload(file, fields)
    finally:
        await found.close()


async def _bounded(
    request: Request, most_bytes: int, seconds: float, is_whole: Callable[[], bool]
) -> AsyncGenerator[bytes]:
    chunks, came, loop = request.stream(), 0, asyncio.get_running_loop()
    began = loop.time()
    while True:
        latest = began + seconds + came / _SLOWEST_BYTES_A_SECOND
        try:
            async with asyncio.timeout_at(min(latest, loop.time() + seconds)):
                chunk = await anext(chunks, None)
        except TimeoutError:
            message = f"The file stood still for {seconds:g} s, or came too slowly. Send it again."
            raise ApiError(408, message, headers={"Connection": "close"}) from None
        if chunk is None:
            break
        came += len(chunk)
        if came > most_bytes + _AROUND_BYTES:
            raise _too_long(most_bytes)
        yield chunk
    if not is_whole():
        raise ApiError(
            400, "The form ends before its last boundary. Send it again.", "invalid_form"
        )


def _too_long(most_bytes: int) -> ApiError:
    message = f"The file is over {most_bytes / 1e6:,.0f} MB. Send it in parts."
    return ApiError(413, message, "file_too_large")
