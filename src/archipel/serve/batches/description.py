"""`/v1/files`, `/v1/batches` and `/v1/messages/batches` in the OpenAPI document. Pure."""

from typing import Any

from pydantic.json_schema import models_json_schema

from archipel.serve.batches.batches_api import BatchRequest
from archipel.serve.batches.files_api import PURPOSES
from archipel.serve.batches.message_batches import PLACE, MessageBatchRequest
from archipel.serve.openapi_parts import answer_of, errors_of, json_of, object_of, ref

_TEXT, _WHOLE = {"type": "string"}, {"type": "integer"}
_TEXT_OR_NULL, _WHOLE_OR_NULL = {"type": ["string", "null"]}, {"type": ["integer", "null"]}
_ID = {"name": "id", "in": "path", "required": True, "schema": _TEXT}
_FOR_FILES = ("400", "401", "403", "404", "503")
_FOR_UPLOADS = ("400", "401", "403", "408", "413", "429", "503")
_FOR_BATCHES = ("400", "401", "403", "404", "408", "413", "429", "503")
_FOR_CHANGES = (*_FOR_FILES, "409")


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}


_PAGE = [
    _query("after", {"type": "string", "maxLength": 64}),
    _query("limit", {"type": "integer", "minimum": 1}),
    _query("order", {"enum": ["asc", "desc"]}),
]


def _operation(
    summary: str, answer: dict[str, Any], wrong: tuple[str, ...], **more: Any
) -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {"200": answer_of(summary, answer), **errors_of(wrong)},
        **more,
    }


_FORM = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "contentMediaType": "application/octet-stream"},
        "purpose": {"enum": list(PURPOSES)},
        "expires_after[anchor]": {"const": "created_at"},
        "expires_after[seconds]": _TEXT,
    },
    "required": ["file", "purpose"],
}
_UPLOAD = {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}
_NEW_BATCH = {"required": True, "content": json_of("BatchRequest")}
_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}

_LINES = {"application/x-jsonl": {"schema": _TEXT}}


def _messages(
    summary: str, answer: dict[str, Any], wrong: tuple[str, ...], **more: Any
) -> dict[str, Any]:
    """As `_operation`, with errors as Anthropic words them."""
    found = _operation(summary, answer, (), **more)
    found["responses"] |= errors_of(wrong, "MessagesError")
    return found


PATHS: dict[str, Any] = {
    "/v1/files": {
        "get": _operation(
            "A project's files.",
            json_of("Files"),
            _FOR_FILES,
            parameters=[*_PAGE, _query("purpose", _TEXT)],
        ),
        "post": _operation("Send a file.", json_of("File"), _FOR_UPLOADS, requestBody=_UPLOAD),
    },
    "/v1/files/{id}": {
        "get": _operation("A file.", json_of("File"), _FOR_FILES, parameters=[_ID]),
        "delete": _operation(
            "Delete a file.", json_of("FileDeleted"), _FOR_CHANGES, parameters=[_ID]
        ),
    },
    "/v1/files/{id}/content": {
        "get": _operation("A file's bytes.", _BYTES, (*_FOR_FILES, "500"), parameters=[_ID])
    },
    "/v1/batches": {
        "get": _operation("A project's batches.", json_of("Batches"), _FOR_FILES, parameters=_PAGE),
        "post": _operation(
            "Have a file's requests answered within a day.",
            json_of("Batch"),
            _FOR_BATCHES,
            requestBody=_NEW_BATCH,
        ),
    },
    "/v1/batches/{id}": {
        "get": _operation("A batch.", json_of("Batch"), _FOR_FILES, parameters=[_ID])
    },
    "/v1/batches/{id}/cancel": {
        "post": _operation("Cancel a batch.", json_of("Batch"), _FOR_CHANGES, parameters=[_ID])
    },
    PLACE: {
        "get": _messages(
            "A project's batches of messages.",
            json_of("MessageBatches"),
            _FOR_FILES,
            parameters=[
                _query("before_id", {"type": "string", "maxLength": 64}),
                _query("after_id", {"type": "string", "maxLength": 64}),
                _query("limit", {"type": "integer", "minimum": 1, "maximum": 1000}),
            ],
        ),
        "post": _messages(
            "Have messages answered within a day.",
            json_of("MessageBatch"),
            _FOR_BATCHES,
            requestBody={"required": True, "content": json_of("MessageBatchRequest")},
        ),
    },
    f"{PLACE}/{{id}}": {
        "get": _messages(
            "A batch of messages.", json_of("MessageBatch"), _FOR_FILES, parameters=[_ID]
        ),
        "delete": _messages(
            "Delete a batch of messages that has ended, with its requests and results.",
            json_of("MessageBatchDeleted"),
            _FOR_FILES,
            parameters=[_ID],
        ),
    },
    f"{PLACE}/{{id}}/cancel": {
        "post": _messages(
            "Cancel a batch of messages.", json_of("MessageBatch"), _FOR_CHANGES, parameters=[_ID]
        )
    },
    f"{PLACE}/{{id}}/results": {
        "get": _messages("Its results.", _LINES, (*_FOR_FILES, "500"), parameters=[_ID])
    },
}


def _page_of(name: str) -> dict[str, Any]:
    its = {"first_id": _TEXT_OR_NULL, "last_id": _TEXT_OR_NULL, "has_more": {"type": "boolean"}}
    data = {"type": "array", "items": ref(name)}
    return object_of({"object": {"const": "list"}, "data": data, **its})


_TIMES = (
    *("expires", "in_progress", "finalizing", "completed", "failed", "expired"),
    *("cancelling", "cancelled"),
)
_, _FOUND = models_json_schema(
    [(BatchRequest, "validation"), (MessageBatchRequest, "validation")],
    ref_template="#/components/schemas/{model}",
)
_COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")
SCHEMAS: dict[str, Any] = {
    **_FOUND["$defs"],
    "File": object_of(
        {
            "id": _TEXT,
            "object": {"const": "file"},
            "bytes": _WHOLE,
            "created_at": _WHOLE,
            "expires_at": _WHOLE,
            "filename": _TEXT,
            "purpose": _TEXT,
            "status": {"const": "processed"},
        }
    ),
    "Files": _page_of("File"),
    "FileDeleted": object_of(
        {"id": _TEXT, "object": {"const": "file"}, "deleted": {"const": True}}
    ),
    "Batch": object_of(
        {
            "id": _TEXT,
            "object": {"const": "batch"},
            "endpoint": _TEXT,
            "input_file_id": _TEXT,
            "completion_window": {"const": "24h"},
            "status": _TEXT,
            "errors": {"type": ["object", "null"]},
            "output_file_id": _TEXT_OR_NULL,
            "error_file_id": _TEXT_OR_NULL,
            "created_at": _WHOLE,
            **{f"{name}_at": _WHOLE_OR_NULL for name in _TIMES},
            "request_counts": object_of(dict.fromkeys(("total", "completed", "failed"), _WHOLE)),
            "usage": {"type": "object"},
            "metadata": {"type": ["object", "null"]},
        }
    ),
    "Batches": _page_of("Batch"),
    "MessageBatch": object_of(
        {
            "id": _TEXT,
            "type": {"const": "message_batch"},
            "processing_status": {"enum": ["in_progress", "canceling", "ended"]},
            "request_counts": object_of(dict.fromkeys(_COUNTS, _WHOLE)),
            **dict.fromkeys(("created_at", "expires_at"), _TEXT),
            **dict.fromkeys(("ended_at", "cancel_initiated_at", "archived_at"), _TEXT_OR_NULL),
            "results_url": _TEXT_OR_NULL,
        }
    ),
    "MessageBatches": _page_of("MessageBatch"),
    "MessageBatchDeleted": object_of({"id": _TEXT, "type": {"const": "message_batch_deleted"}}),
}
