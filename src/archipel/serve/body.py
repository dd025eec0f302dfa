"""A request's body: read within a limit of size and of time, and understood in one way only."""

import asyncio
import json
import math
from typing import Any, Never

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from archipel.serve.api_error import ApiError

LIMIT_BYTES = 4 << 20


async def read_body(request: Request, seconds: float, most_bytes: int = LIMIT_BYTES) -> bytes:
    """The whole body.

    Raises:
        ApiError: it is too long, or not all of it came in time.
    """
    if int(request.headers.get("content-length", 0)) > most_bytes:
        raise _too_long(most_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most_bytes:
                    raise _too_long(most_bytes)
    except TimeoutError:
        message = f"The request did not come within {seconds:g} s. Send it again."
        raise ApiError(408, message, headers={"Connection": "close"}) from None
    return bytes(body)


def read_fields(body: bytes, known: type[BaseModel]) -> dict[str, Any]:
    """The fields of a JSON object, of which those that are `known` are checked.

    What other readers may take otherwise is refused: what is counted and allowed here must be
    what a provider answers.

    Raises:
        ApiError: it is none, a field is wrong, a name is there twice, or a number is none.
    """
    try:
        known.model_validate_json(body)
    except ValidationError as error:
        raise wrong(error) from None
    fields: dict[str, Any] = read_json(body)
    return fields


def read_json(body: bytes) -> Any:
    """What JSON says, if it can be understood in one way only.

    Raises:
        ApiError: it is none, a name is there twice, or a number is none.
    """
    try:
        return json.loads(
            body, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite
        )
    except ValueError as error:
        raise ApiError(400, f"body: {error}", "invalid_json") from None


def wrong(error: ValidationError) -> ApiError:
    """What is told of the first field that is wrong."""
    first = error.errors(include_url=False)[0]
    param = ".".join(str(part) for part in first["loc"]) or None
    message = f"{param or 'body'}: {first['msg']}"
    return ApiError(400, message, "invalid_value" if param else "invalid_json", param)


def _too_long(most_bytes: int) -> ApiError:
    return ApiError(413, f"The request is over {most_bytes >> 20} MiB. Shorten it.")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is twice in one object. Send it once")
    return found


def _no_number(text: str) -> Never:
    raise ValueError(f"{text} is not JSON. Send a number or null")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large. Send a smaller one")
    return number
