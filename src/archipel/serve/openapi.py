"""The service's own description: an OpenAPI 3.1 document of its endpoints. Pure.

What a provider answers goes to the client as it is: of it, only what clients rely on is said here.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from archipel import __version__
from archipel.serve.annex import NO_ANNEX, Annex
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
    "409": "A batch reads the file, or the batch has ended.",
    "413": "The request is too long.",
    "429": "A limit has no room for the request.",
    "4XX": "The model's provider refused the request, with this status.",
    "500": "The file was altered where it is kept.",
    "502": "The model's provider refused the request in words that are not OpenAI's.",
    "503": "Nothing that serves the model answers just now, or the accounts can't be written.",
}
_FOR_ALL = ("400",)  # a host that is not this machine, on a service without keys
_FOR_CALLERS = (*_FOR_ALL, "401", "403", "503")
_FOR_QUESTIONS = tuple(status for status in _WRONG if status not in ("409", "500"))
_RETRY = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}}
_PROVIDER = {
    "X-Archipel-Provider": {"description": "Who answered.", "schema": {"type": "string"}},
}


def document(annex: Annex = NO_ANNEX) -> dict[str, Any]:
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
            **annex.paths,
        },
        "components": {
            "schemas": {**found["$defs"], **_ANSWERS, **annex.schemas},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}],
    }


def _get(summary: str, answer: str, wrong: tuple[str, ...]) -> dict[str, Any]:
    right = answer_of(summary, json_of(answer))
    return {"summary": summary, "responses": {"200": right, **errors_of(wrong)}}


def answer_of(summary: str, content: dict[str, Any]) -> dict[str, Any]:
    """A right answer."""
    return {"description": summary, "content": content}


def _post(summary: str, request: str, answer: str, error: str = "Error") -> dict[str, Any]:
    content = json_of(answer) | {"text/event-stream": {}}
    right = {"description": summary, "headers": _PROVIDER, "content": content}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": json_of(request)},
        "responses": {"200": right, **errors_of(_FOR_QUESTIONS, error)},
    }


def _form(summary: str, file: str, answer: str) -> dict[str, Any]:
    """A post of a form with the texts of `FormTexts` and a file."""
    bytes_ = {"type": "string", "format": "binary"}
    has_file = {"type": "object", "properties": {file: bytes_}, "required": [file]}
    form = {"schema": {"allOf": [ref("FormTexts"), has_file]}}
    found = _post(summary, "FormTexts", answer)
    found["requestBody"]["content"] = {"multipart/form-data": form}
    found["responses"]["200"]["content"] |= {"text/plain": {}}
    return found


def _speech() -> dict[str, Any]:
    found = _post("A text, spoken.", "SpeechRequest", "Transcript")
    found["responses"]["200"]["content"] = {"audio/*": {}, "text/event-stream": {}}
    return found


def errors_of(statuses: tuple[str, ...], schema: str = "Error") -> dict[str, Any]:
    """Wrong answers, by status."""
    return {status: _error(status, schema) for status in statuses}


def _error(status: str, schema: str) -> dict[str, Any]:
    found: dict[str, Any] = {"description": _WRONG[status], "content": json_of(schema)}
    if status == "400":  # what is not HTTP, or names another host, is refused before it is read
        found["content"] |= {"text/plain": {"schema": {"type": "string"}}}
    if status in ("429", "503"):
        found["headers"] = _RETRY
    return found


def json_of(schema: str) -> dict[str, Any]:
    """The content of a JSON body with a schema of the document."""
    return {"application/json": {"schema": ref(schema)}}


def ref(schema: str) -> dict[str, Any]:
    """A schema of the document."""
    return {"$ref": f"#/components/schemas/{schema}"}


def object_of(fields: Mapping[str, Any], *optional: str) -> dict[str, Any]:
    """The schema of an object that has these fields."""
    required = [name for name in fields if name not in optional]
    return {"type": "object", "properties": dict(fields), "required": required}


def _list(of: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


_OPEN: dict[str, Any] = {"security": []}
_TEXT = {"type": "string"}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_TEXTS_OR_NULL = {"type": ["array", "null"], "items": _TEXT}
_WHOLE = {"type": "integer"}
_WHOLE_OR_NULL = {"type": ["integer", "null"]}
_MESSAGE = object_of({"role": _TEXT, "content": _TEXT_OR_NULL}, "content")
_PRICE = {
    "type": ["object", "null"],
    "properties": {
        "prompt": {"type": "number"},
        "completion": {"type": "number"},
        "currency": _TEXT,
    },
}
_PLACE = {"enum": ["machine", "house", "supplier"]}
_OFFERED = {
    "context_length": _WHOLE_OR_NULL,
    "max_model_len": _WHOLE_OR_NULL,
    "place": _PLACE,
    "supplier": _TEXT_OR_NULL,
    "price": _PRICE,
    "abilities": _TEXTS_OR_NULL,
    "tasks": _TEXTS_OR_NULL,
    "languages": _TEXTS_OR_NULL,
    "providers": _list(object_of({"name": _TEXT, "place": _PLACE, "price": _PRICE})),
}
_MODEL = object_of(
    {"id": _TEXT, "object": {"const": "model"}, "created": _WHOLE, "owned_by": _TEXT, **_OFFERED},
    *_OFFERED,
)
_VECTOR = {"anyOf": [_list({"type": "number"}), {"type": "string", "contentEncoding": "base64"}]}
_ERROR = {"message": _TEXT, "type": _TEXT, "param": _TEXT_OR_NULL, "code": _TEXT_OR_NULL}
_ANSWERS = {
    "Health": object_of({"status": {"const": "ok"}}),
    "Models": object_of({"object": {"const": "list"}, "data": _list(_MODEL)}),
    "ChatCompletion": object_of(
        {
            "choices": _list(
                object_of({"index": _WHOLE, "message": _MESSAGE, "finish_reason": _TEXT_OR_NULL})
            ),
            "usage": ref("Usage"),
        },
        "usage",
    ),
    "Completion": object_of(
        {
            "choices": _list(
                object_of({"index": _WHOLE, "text": _TEXT, "finish_reason": _TEXT_OR_NULL})
            ),
            "usage": ref("Usage"),
        },
        "usage",
    ),
    "Embeddings": object_of(
        {
            "data": _list(object_of({"index": _WHOLE, "embedding": _VECTOR})),
            "usage": ref("Usage"),
        },
        "usage",
    ),
    "Response": object_of(
        {
            "object": {"const": "response"},
            "status": {"enum": ["completed", "incomplete"]},
            "output": _list({"type": "object"}),
        }
    ),
    "Message": object_of(
        {
            "type": {"const": "message"},
            "role": {"const": "assistant"},
            "content": _list({"type": "object"}),
            "stop_reason": _TEXT_OR_NULL,
        }
    ),
    "Pictures": object_of({"data": _list({"type": "object"})}),
    "Transcript": object_of({"text": _TEXT}),
    "MessagesError": object_of(
        {"type": {"const": "error"}, "error": object_of({"type": _TEXT, "message": _TEXT})}
    ),
    "Usage": object_of(
        {"prompt_tokens": _WHOLE, "completion_tokens": _WHOLE, "total_tokens": _WHOLE},
        "completion_tokens",
        "total_tokens",
    ),
    "Error": object_of({"error": object_of(_ERROR)}),
}
