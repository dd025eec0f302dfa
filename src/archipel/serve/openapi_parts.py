"""What the service's OpenAPI document is made of. Pure."""

from collections.abc import Mapping
from typing import Any

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
FOR_ALL = ("400",)  # a host that is not this machine, on a service without keys
FOR_CALLERS = (*FOR_ALL, "401", "403", "503")
FOR_QUESTIONS = tuple(status for status in _WRONG if status not in ("409", "500"))
_RETRY = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}}
_PROVIDER = {
    "X-Archipel-Provider": {"description": "Who answered.", "schema": {"type": "string"}},
}


TEXT = {"type": "string"}
TEXT_OR_NULL = {"type": ["string", "null"]}
TEXTS_OR_NULL = {"type": ["array", "null"], "items": TEXT}
WHOLE = {"type": "integer"}
WHOLE_OR_NULL = {"type": ["integer", "null"]}


def get(summary: str, answer: str, wrong: tuple[str, ...]) -> dict[str, Any]:
    right = answer_of(summary, json_of(answer))
    return {"summary": summary, "responses": {"200": right, **errors_of(wrong)}}


def answer_of(summary: str, content: dict[str, Any]) -> dict[str, Any]:
    """A right answer."""
    return {"description": summary, "content": content}


def post(summary: str, request: str, answer: str, error: str = "Error") -> dict[str, Any]:
    content = json_of(answer) | {"text/event-stream": {}}
    right = {"description": summary, "headers": _PROVIDER, "content": content}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": json_of(request)},
        "responses": {"200": right, **errors_of(FOR_QUESTIONS, error)},
    }


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


def list_of(of: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}
