"""The lines of a batch: requests in its input file, answers in its output and error files. Pure."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from archipel.serve.api_error import ApiError
from archipel.serve.body import LIMIT_BYTES, read_json

MOST_LINES = 50_000
_MOST_PROBLEMS = 100  # that are told; who has more sees the rest at the next try
_ID_CHARACTERS = 512


@dataclass(frozen=True)
class Line:
    """A request: its number among the file's lines, from 1, and its body as a client sends it."""

    number: int
    custom_id: str
    body: bytes


@dataclass(frozen=True)
class Problem:
    """Why an input file can't be used, in OpenAI's words."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


@dataclass(frozen=True)
class Checked:
    """How many requests a file has, and what is wrong with it."""

    count: int
    problems: tuple[Problem, ...]


def split(pieces: Iterable[bytes], most_bytes: float = LIMIT_BYTES) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers. Of one that is too long, its beginning."""
    number, held = 1, bytearray()
    for piece in pieces:
        *ended, last = piece.split(b"\n")
        for part in ended:
            held += part
            if held.strip():
                yield number, bytes(held)
            number, held = number + 1, bytearray()
        if len(held) <= most_bytes:
            held += last
    if held.strip():
        yield number, bytes(held)


def check(lines: Iterable[tuple[int, bytes]], endpoint: str) -> Checked:
    """Read all lines of an input file, which are to be asked at one endpoint."""
    count, ids, problems = 0, set[str](), list[Problem]()
    for number, raw in lines:
        count += 1
        line = read_line(number, raw, endpoint)
        if isinstance(line, Problem):
            problems.append(line)
        elif line.custom_id in ids:
            message = f"The custom_id {line.custom_id!r} is an earlier line's. Give each its own."
            problems.append(Problem("duplicate_custom_id", message, number, "custom_id"))
        else:
            ids.add(line.custom_id)
        if count > MOST_LINES:
            message = f"A batch may have {MOST_LINES:,} requests. Make several of it."
            return Checked(count, (Problem("too_many_tasks", message),))
        if len(problems) >= _MOST_PROBLEMS:
            break
    if not count:
        problems.append(Problem("empty_file", "The input file has no requests."))
    return Checked(count, tuple(problems))


def read_line(number: int, raw: bytes, endpoint: str) -> Line | Problem:
    """The request that a line is."""
    if len(raw) > LIMIT_BYTES:
        return Problem("line_too_long", f"The line is over {LIMIT_BYTES >> 20} MiB.", number)
    try:
        from_json(raw)  # refuses what is nested too deeply
        found: Any = read_json(raw)
    except (ValueError, ApiError):
        message = "This line is not parseable as valid JSON."
        return Problem("invalid_json_line", message, number)
    if not isinstance(found, dict):
        return Problem("invalid_json_line", "This line is not a JSON object.", number)
    if wrong := _wrong(found, endpoint):
        param, code, message = wrong
        return Problem(code, message, number, param)
    return Line(number, found["custom_id"], json.dumps(found["body"]).encode())


def _wrong(found: dict[str, Any], endpoint: str) -> tuple[str, str, str] | None:
    """The field that is wrong, the error's code and its message."""
    for name in ("custom_id", "method", "url", "body"):
        if name not in found:
            return name, "missing_required_parameter", f"Missing required parameter: {name!r}."
    custom_id, body = found["custom_id"], found["body"]
    if not isinstance(custom_id, str) or not 0 < len(custom_id) <= _ID_CHARACTERS:
        most = f"custom_id must be a text of 1 to {_ID_CHARACTERS} characters."
        return "custom_id", "invalid_value", most
    if found["method"] != "POST":
        return "method", "invalid_method", "method must be POST."
    if found["url"] != endpoint:
        return "url", "url_mismatch", f"url must be the batch's endpoint, {endpoint}."
    if not isinstance(body, dict):
        return "body", "invalid_value", "body must be an object."
    if not isinstance(body.get("model"), str):
        return "body.model", "missing_required_parameter", "body.model must name a model."
    if body.get("stream"):
        return "body.stream", "invalid_value", "A batch's answers can't be streamed."
    return None


def answered_line(batch: str, line: Line, status: int, body: bytes) -> bytes:
    """An answer, or what a client would be told instead, as a line of an output or error file.

    Raises:
        ValueError: the body is not JSON.
    """
    id = _id(batch, line.number)
    answer = {"status_code": status, "request_id": id, "body": json.loads(body)}
    return _written({"id": id, "custom_id": line.custom_id, "response": answer, "error": None})


def unasked_line(batch: str, line: Line, *, is_cancelled: bool) -> bytes:
    """A request that was not answered, as a line of an error file."""
    if is_cancelled:
        code, why = "batch_cancelled", "The batch was cancelled before this request executed."
    else:
        code = "batch_expired"
        why = "This request could not be executed before the completion window expired."
    error = {"code": code, "message": why}
    id = _id(batch, line.number)
    return _written({"id": id, "custom_id": line.custom_id, "response": None, "error": error})


def _id(batch: str, number: int) -> str:
    return f"batch_req_{batch.removeprefix('batch_')}_{number}"


def _written(line: dict[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"
