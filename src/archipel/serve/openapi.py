"""The service's own description: an OpenAPI 3.1 document of its endpoints. Pure.

What a provider answers goes to the client as it is: of it, only what clients rely on is said here.
"""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from archipel import __version__
from archipel.serve.annex import NO_ANNEX, Annex
from archipel.serve.filling import description as filling
from archipel.serve.media import FormTexts, ImageRequest, ImageTexts, SpeechRequest
from archipel.serve.openapi_parts import (
    FOR_ALL,
    FOR_CALLERS,
    TEXT,
    TEXT_OR_NULL,
    TEXTS_OR_NULL,
    WHOLE,
    WHOLE_OR_NULL,
    get,
    list_of,
    object_of,
    post,
    ref,
)
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
    ImageTexts,
    *filling.REQUESTS,
)


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
            "/health": {"get": get("Whether the service runs.", "Health", FOR_ALL) | _OPEN},
            "/v1/models": {"get": get("The models that a key opens.", "Models", FOR_CALLERS)},
            "/v1/chat/completions": {
                "post": post("The next turn of a conversation.", "ChatRequest", "ChatCompletion")
            },
            "/v1/completions": {
                "post": post("How a text goes on.", "CompletionRequest", "Completion")
            },
            "/v1/embeddings": {
                "post": post("Vectors for texts.", "EmbeddingRequest", "Embeddings")
            },
            "/v1/responses": {
                "post": post("The next turn, as a response.", "ResponsesRequest", "Response")
            },
            "/v1/messages": {
                "post": post(
                    "The next turn, as Anthropic's.", "MessagesRequest", "Message", "MessagesError"
                )
            },
            "/v1/images/generations": {"post": post("Pictures.", "ImageRequest", "Pictures")},
            "/v1/images/edits": {"post": _pictures("Changed pictures.", _EDITED)},
            "/v1/images/variations": {"post": _pictures("Pictures like one.", _VARIED)},
            "/v1/audio/speech": {"post": _speech()},
            "/v1/audio/transcriptions": {"post": _heard("What is said.")},
            "/v1/audio/translations": {"post": _heard("That in English.")},
            **filling.PATHS,
            **annex.paths,
        },
        "components": {
            "schemas": {**found["$defs"], **_ANSWERS, **filling.SCHEMAS, **annex.schemas},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}],
    }


def _form(summary: str, texts: str, files: dict[str, Any], answer: str) -> dict[str, Any]:
    """A post of a form with the texts of a schema and files."""
    form = {"schema": {"allOf": [ref(texts), files]}}
    found = post(summary, texts, answer)
    found["requestBody"]["content"] = {"multipart/form-data": form}
    found["responses"]["200"]["content"] |= {"text/plain": {}}
    return found


def _pictures(summary: str, files: dict[str, Any]) -> dict[str, Any]:
    return _form(summary, "ImageTexts", files, "Pictures")


def _heard(summary: str) -> dict[str, Any]:
    return _form(summary, "FormTexts", object_of({"file": _FILE}), "Transcript")


def _speech() -> dict[str, Any]:
    found = post("A text, spoken.", "SpeechRequest", "Transcript")
    found["responses"]["200"]["content"] = {"audio/*": {}, "text/event-stream": {}}
    return found


_OPEN: dict[str, Any] = {"security": []}
_FILE = {"type": "string", "format": "binary"}
_SEVERAL = {**list_of(_FILE), "minItems": 1, "maxItems": 16}
_VARIED = object_of({"image": _FILE})
_EDITED: dict[str, Any] = {
    **object_of({"image": _FILE, "image[]": _SEVERAL, "mask": _FILE}, "image", "image[]", "mask"),
    "anyOf": [{"required": ["image"]}, {"required": ["image[]"]}],
}
_MESSAGE = object_of({"role": TEXT, "content": TEXT_OR_NULL}, "content")
_PRICE = {
    "type": ["object", "null"],
    "properties": {
        "prompt": {"type": "number"},
        "completion": {"type": "number"},
        "currency": TEXT,
    },
}
_PLACE = {"enum": ["machine", "house", "supplier"]}
_OFFERED = {
    "context_length": WHOLE_OR_NULL,
    "max_model_len": WHOLE_OR_NULL,
    "place": _PLACE,
    "supplier": TEXT_OR_NULL,
    "price": _PRICE,
    "abilities": TEXTS_OR_NULL,
    "tasks": TEXTS_OR_NULL,
    "languages": TEXTS_OR_NULL,
    "providers": list_of(object_of({"name": TEXT, "place": _PLACE, "price": _PRICE})),
}
_MODEL = object_of(
    {"id": TEXT, "object": {"const": "model"}, "created": WHOLE, "owned_by": TEXT, **_OFFERED},
    *_OFFERED,
)
_VECTOR = {"anyOf": [list_of({"type": "number"}), {"type": "string", "contentEncoding": "base64"}]}
_ERROR = {"message": TEXT, "type": TEXT, "param": TEXT_OR_NULL, "code": TEXT_OR_NULL}
_ANSWERS = {
    "Health": object_of({"status": {"const": "ok"}}),
    "Models": object_of({"object": {"const": "list"}, "data": list_of(_MODEL)}),
    "ChatCompletion": object_of(
        {
            "choices": list_of(
                object_of({"index": WHOLE, "message": _MESSAGE, "finish_reason": TEXT_OR_NULL})
            ),
            "usage": ref("Usage"),
        },
        "usage",
    ),
    "Completion": object_of(
        {
            "choices": list_of(
                object_of({"index": WHOLE, "text": TEXT, "finish_reason": TEXT_OR_NULL})
            ),
            "usage": ref("Usage"),
        },
        "usage",
    ),
    "Embeddings": object_of(
        {
            "data": list_of(object_of({"index": WHOLE, "embedding": _VECTOR})),
            "usage": ref("Usage"),
        },
        "usage",
    ),
    "Response": object_of(
        {
            "object": {"const": "response"},
            "status": {"enum": ["completed", "incomplete"]},
            "output": list_of({"type": "object"}),
        }
    ),
    "Message": object_of(
        {
            "type": {"const": "message"},
            "role": {"const": "assistant"},
            "content": list_of({"type": "object"}),
            "stop_reason": TEXT_OR_NULL,
        }
    ),
    "Pictures": object_of(
        {"data": list_of({"type": "object"}), "output_format": TEXT_OR_NULL}, "output_format"
    ),
    "Transcript": object_of({"text": TEXT}),
    "MessagesError": object_of(
        {"type": {"const": "error"}, "error": object_of({"type": TEXT, "message": TEXT})}
    ),
    "Usage": object_of(
        {"prompt_tokens": WHOLE, "completion_tokens": WHOLE, "total_tokens": WHOLE},
        "completion_tokens",
        "total_tokens",
    ),
    "Error": object_of({"error": object_of(_ERROR)}),
}
