"""The service's own description: an OpenAPI 3.1 document of its endpoints. Pure.

What a provider answers goes to the client as it is: of it, only what clients rely on is said here.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from archipel import __version__
from archipel.serve.media import FormTexts, ImageRequest, SpeechRequest
from archipel.serve.request_fields import (
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    MessagesRequest,
    ResponsesRequest,
)

_REQUESTS: tuple[type[BaseModel], ...] = (
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    MessagesRequest,
    ResponsesRequest,
    ImageRequest,
    SpeechRequest,
    FormTexts,
)
_WRONG = {
    "400": "The request is wrong, or the model's provider can't do what it asks.",
    "401": "The API key is missing or wrong.",
    "403": "A page of another site, or a key that is not for this.",
    "404": "There is no such model, or the key does not open it.",
    "408": "The body did not come in time.",
    "413": "The request is too long.",
    "429": "A limit has no room for the request.",
    "4XX": "The model's provider refused the request, with this status.",
    "502": "The model's provider refused the request in words that are not OpenAI's.",
    "503": "Nothing that serves the model answers just now, or the accounts can't be written.",
}
_FOR_ALL = ("400",)  # a host that is not this machine, on a service without keys
_FOR_CALLERS = (*_FOR_ALL, "401", "403", "503")
_RETRY = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}}
_PROVIDER = {
    "X-Archipel-Provider": {"description": "Who answered.", "schema": {"type": "string"}},
}


def document() -> dict[str, Any]:
    """The document as JSON values."""
    _, found = models_json_schema(
        [(model, "validation") for model in _REQUESTS],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Archipel", "version": __version__},
        "paths": {
            "/health": {"get": _get("Whether the service runs.", "Health", _FOR_ALL) | _OPEN},
            "/v1/models": {"get": _get("The models that a key opens.", "Models", _FOR_CALLERS)},
            "/v1/chat/completions": {
                "post": _post("The next turn of a conversation.", "ChatRequest", "ChatCompletion")
            },
            "/v1/completions": {
                "post": _post("How a text goes on.", "CompletionRequest", "Completion")
            },
            "/v1/embeddings": {
                "post": _post("Vectors for texts.", "EmbeddingRequest", "Embeddings")
            },
            "/v1/responses": {
                "post": _post("The next turn, as a response.", "ResponsesRequest", "Response")
            },
            "/v1/messages": {
                "post": _post(
                    "The next turn, as Anthropic's.", "MessagesRequest", "Message", "MessagesError"
                )
            },
            "/v1/images/generations": {"post": _post("Pictures.", "ImageRequest", "Pictures")},
            "/v1/images/edits": {"post": _form("Changed pictures.", "image", "Pictures")},
            "/v1/images/variations": {"post": _form("Pictures like one.", "image", "Pictures")},
            "/v1/audio/speech": {"post": _speech()},
            "/v1/audio/transcriptions": {"post": _form("What is said.", "file", "Transcript")},
            "/v1/audio/translations": {"post": _form("That in English.", "file", "Transcript")},
        },
        "components": {
            "schemas": {**found["$defs"], **_ANSWERS},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}],
    }


def _get(summary: str, answer: str, wrong: tuple[str, ...]) -> dict[str, Any]:
    right = {"description": summary, "content": _json(answer)}
    return {"summary": summary, "responses": {"200": right, **_errors(wrong)}}


def _post(summary: str, request: str, answer: str, error: str = "Error") -> dict[str, Any]:
    content = _json(answer) | {"text/event-stream": {}}
    right = {"description": summary, "headers": _PROVIDER, "content": content}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": _json(request)},
        "responses": {"200": right, **_errors(tuple(_WRONG), error)},
    }


def _form(summary: str, file: str, answer: str) -> dict[str, Any]:
    """A post of a form with the texts of `FormTexts` and a file."""
    bytes_ = {"type": "string", "format": "binary"}
    has_file = {"type": "object", "properties": {file: bytes_}, "required": [file]}
    form = {"schema": {"allOf": [_ref("FormTexts"), has_file]}}
    found = _post(summary, "FormTexts", answer)
    found["requestBody"]["content"] = {"multipart/form-data": form}
    found["responses"]["200"]["content"] |= {"text/plain": {}}
    return found


def _speech() -> dict[str, Any]:
    found = _post("A text, spoken.", "SpeechRequest", "Transcript")
    found["responses"]["200"]["content"] = {"audio/*": {}, "text/event-stream": {}}
    return found


def _errors(statuses: tuple[str, ...], schema: str = "Error") -> dict[str, Any]:
    return {status: _error(status, schema) for status in statuses}


def _error(status: str, schema: str) -> dict[str, Any]:
    found: dict[str, Any] = {"description": _WRONG[status], "content": _json(schema)}
    if status == "400":  # what is not HTTP, or names another host, is refused before it is read
        found["content"] |= {"text/plain": {"schema": {"type": "string"}}}
    if status in ("429", "503"):
        found["headers"] = _RETRY
    return found


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": _ref(schema)}}


def _ref(schema: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _object(fields: Mapping[str, Any], *optional: str) -> dict[str, Any]:
    required = [name for name in fields if name not in optional]
    return {"type": "object", "properties": dict(fields), "required": required}


def _list(of: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


_OPEN: dict[str, Any] = {"security": []}
_TEXT = {"type": "string"}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_WHOLE = {"type": "integer"}
_MESSAGE = _object({"role": _TEXT, "content": _TEXT_OR_NULL}, "content")
_MODEL = _object({"id": _TEXT, "object": {"const": "model"}, "created": _WHOLE, "owned_by": _TEXT})
_VECTOR = {"anyOf": [_list({"type": "number"}), {"type": "string", "contentEncoding": "base64"}]}
_ERROR = {"message": _TEXT, "type": _TEXT, "param": _TEXT_OR_NULL, "code": _TEXT_OR_NULL}
_ANSWERS = {
    "Health": _object({"status": {"const": "ok"}}),
    "Models": _object({"object": {"const": "list"}, "data": _list(_MODEL)}),
    "ChatCompletion": _object(
        {
            "choices": _list(
                _object({"index": _WHOLE, "message": _MESSAGE, "finish_reason": _TEXT_OR_NULL})
            ),
            "usage": _ref("Usage"),
        },
        "usage",
    ),
    "Completion": _object(
        {
            "choices": _list(
                _object({"index": _WHOLE, "text": _TEXT, "finish_reason": _TEXT_OR_NULL})
            ),
            "usage": _ref("Usage"),
        },
        "usage",
    ),
    "Embeddings": _object(
        {
            "data": _list(_object({"index": _WHOLE, "embedding": _VECTOR})),
            "usage": _ref("Usage"),
        },
        "usage",
    ),
    "Response": _object(
        {
            "object": {"const": "response"},
            "status": {"enum": ["completed", "incomplete"]},
            "output": _list({"type": "object"}),
        }
    ),
    "Message": _object(
        {
            "type": {"const": "message"},
            "role": {"const": "assistant"},
            "content": _list({"type": "object"}),
            "stop_reason": _TEXT_OR_NULL,
        }
    ),
    "Pictures": _object({"data": _list({"type": "object"})}),
    "Transcript": _object({"text": _TEXT}),
    "MessagesError": _object(
        {"type": {"const": "error"}, "error": _object({"type": _TEXT, "message": _TEXT})}
    ),
    "Usage": _object(
        {"prompt_tokens": _WHOLE, "completion_tokens": _WHOLE, "total_tokens": _WHOLE},
        "completion_tokens",
        "total_tokens",
    ),
    "Error": _object({"error": _object(_ERROR)}),
}
