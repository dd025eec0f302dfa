"""Batches as Anthropic's Message Batches API words them, over the same queue. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row

from archipel.serve.api_error import ApiError
from archipel.serve.batches.lines import MOST_LINES, check, split

ENDPOINT = "/v1/messages"
PLACE = "/v1/messages/batches"
_ENDS = ("completed", "failed", "expired", "cancelled")
_NOT_ASKED = {"batch_cancelled": "canceled", "batch_expired": "expired"}


class MessageBatchEntry(BaseModel):
    """One request of a batch; `params` is what POST /v1/messages takes."""

    model_config = ConfigDict(extra="ignore", strict=True)
    custom_id: str
    params: dict[str, Any]


class MessageBatchRequest(BaseModel):
    """Of POST /v1/messages/batches."""

    model_config = ConfigDict(extra="ignore", strict=True)
    requests: list[MessageBatchEntry] = Field(min_length=1, max_length=MOST_LINES)


def input_lines(requests: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """The requests as the lines of an input file.

    Raises:
        ApiError: a batch can't have one of them.
    """
    where = {"method": "POST", "url": ENDPOINT}
    lines = [
        json.dumps({"custom_id": one["custom_id"], **where, "body": one["params"]}).encode() + b"\n"
        for one in requests
    ]
    for problem in check(split(lines), ENDPOINT).problems:
        number = (problem.line or 1) - 1
        raise ApiError(400, f"requests.{number}: {problem.message}", problem.code, "requests")
    return lines


def has_ended(row: Row[Any]) -> bool:
    """Whether a batch's results can be had."""
    return row.status in _ENDS


def shown(row: Row[Any]) -> dict[str, Any]:
    """A row of the table in Anthropic's shape."""
    ends = has_ended(row)
    status = "in_progress" if row.cancelling is None else "canceling"
    return {
        "id": row.id,
        "type": "message_batch",
        "processing_status": "ended" if ends else status,
        "request_counts": _counts(row),
        "created_at": _moment(row.created),
        "expires_at": _moment(row.expires),
        "ended_at": _moment(getattr(row, row.status)) if ends else None,
        "cancel_initiated_at": _moment(row.cancelling),
        "archived_at": None,
        # Clients put it behind the address by which they reach the service.
        "results_url": f"{PLACE}/{row.id}/results" if ends else None,
    }


def results(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of an output or error file as lines of results."""
    for _, line in split(pieces, float("inf")):
        found = json.loads(line)
        result = _result(found)
        yield json.dumps({"custom_id": found["custom_id"], "result": result}).encode() + b"\n"


def _result(line: Mapping[str, Any]) -> dict[str, Any]:
    response = line["response"]
    if response is None:
        return {"type": _NOT_ASKED[line["error"]["code"]]}
    if response["status_code"] == 200:
        return {"type": "succeeded", "message": response["body"]}
    return {"type": "errored", "error": response["body"]}


def _counts(row: Row[Any]) -> dict[str, int]:
    """All are under way until the batch has ended, as Anthropic counts."""
    counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
    if not has_ended(row):
        return {**counts, "processing": row.total_lines}
    rest = {"cancelled": "canceled", "expired": "expired"}.get(row.status, "errored")
    counts |= {"succeeded": row.right_lines, "errored": row.wrong_lines}
    counts[rest] += row.total_lines - row.right_lines - row.wrong_lines
    return counts


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
