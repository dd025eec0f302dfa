"""What the page asks, checked; and errors in the shape that it reads."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from archipel.chat import ServiceError
from archipel.errors import ArchipelError, ConfigError, DatabaseError, NotAllowed, NotFound

BODY_BYTES = 4 << 20
Endpoint = Callable[[Request], Awaitable[Response]]
_log = logging.getLogger(__name__)


class Refused(ArchipelError):
    """The page asked for what it can't have; `code` is what it has words for."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Asked(BaseModel):
    """Base of what the page sends: no field more, no type guessed."""

    model_config = ConfigDict(extra="forbid", strict=True)


_Body = TypeVar("_Body", bound=Asked)


async def read(request: Request, kind: type[_Body], limit: int = BODY_BYTES) -> _Body:
    """The request's JSON.

    Raises:
        Refused: it is too large, or not what it should be.
    """
    sent = await body(request, limit)
    try:
        return kind.model_validate_json(sent)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(400, f"{where}: {first['msg']}" if where else first["msg"]) from None


async def body(request: Request, limit: int) -> bytes:
    """The request's bytes.

    Raises:
        Refused: there are more than `limit`.
    """
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > limit:
            raise Refused(413, f"This is over {limit >> 20} MiB. Send less at once.", "too_large")
    return bytes(found)


def number(request: Request, name: str, default: int, most: int) -> int:
    """A whole number of the URL's query, from 0 to `most`.

    Raises:
        Refused: it is not one.
    """
    text = request.query_params.get(name, str(default))
    if not text.isascii() or not text.isdecimal() or len(text) > 18 or int(text) > most:
        raise Refused(400, f"{name} is a whole number from 0 to {most}, not {text[:40]!r}.")
    return int(text)


def answered(endpoint: Endpoint) -> Endpoint:
    """The endpoint, with errors as answers. What changes something must come from our own page."""

    async def answer(request: Request) -> Response:
        try:
            if request.method not in ("GET", "HEAD"):
                _check_origin(request)
            return await endpoint(request)
        except ClientDisconnect:
            return Response(status_code=499)
        except ArchipelError as error:
            return problem(error)

    return answer


def problem(error: ArchipelError) -> Response:
    """An error as the page reads it."""
    status, code = _status(error)
    if status == 503:
        _log.error("%s", error)
    return JSONResponse(shown(error, code), status)


def shown(error: ArchipelError, code: str | None) -> dict[str, Any]:
    """The body of an error."""
    return {"error": {"code": code, "message": str(error)}}


def _status(error: ArchipelError) -> tuple[int, str | None]:
    match error:
        case Refused():
            return error.status, error.code
        case NotFound():
            return 404, "not_found"
        case NotAllowed():
            return 403, "not_allowed"
        case ServiceError():
            return 502, error.code
        case DatabaseError():
            return 503, "database"
        case ConfigError():
            return 400, "invalid"
        case _:
            return 500, None


def _check_origin(request: Request) -> None:
    """A page of another site may not act in the person's name; it can set neither header."""
    sent = request.headers.get("origin")
    if sent is None:
        ours = request.headers.get("sec-fetch-site") == "same-origin"
    else:
        ours = sent.partition("://")[2] == request.headers.get("host")
    if not ours:
        raise Refused(403, "Only the assistant's own page may ask.", "forbidden")
