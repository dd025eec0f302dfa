"""How the OpenAPI document tells of the endpoints for editors. Pure."""

from typing import Any

from archipel.serve.filling.asked import (
    FimRequest,
    GenerateRequest,
    InfillRequest,
    ShowRequest,
    TabbyRequest,
)
from archipel.serve.openapi_parts import (
    FOR_CALLERS,
    TEXT,
    WHOLE,
    WHOLE_OR_NULL,
    answer_of,
    errors_of,
    get,
    json_of,
    list_of,
    object_of,
    post,
)

REQUESTS = (InfillRequest, FimRequest, TabbyRequest, GenerateRequest, ShowRequest)


def _generate() -> dict[str, Any]:
    found = post("What goes on, or into a gap, as Ollama's.", "GenerateRequest", "Generated")
    content = found["responses"]["200"]["content"]
    content["application/x-ndjson"] = content.pop("text/event-stream")
    return found


def _taken(summary: str) -> dict[str, Any]:
    """A post of anything, which is not kept."""
    right = {"description": summary}
    return {"summary": summary, "responses": {"200": right, **errors_of(FOR_CALLERS)}}


def _shown() -> dict[str, Any]:
    summary = "What one model can do, as Ollama's."
    right = answer_of(summary, json_of("OllamaModel"))
    wrong = errors_of((*FOR_CALLERS, "404", "408", "413"))
    body = {"required": True, "content": json_of("ShowRequest")}
    return {"summary": summary, "requestBody": body, "responses": {"200": right, **wrong}}


_HEALTH = get("The model that suggests, for Tabby's clients.", "TabbyHealth", (*FOR_CALLERS, "404"))

PATHS: dict[str, Any] = {
    "/infill": {"post": post("What goes into a gap, as llama.cpp's.", "InfillRequest", "Infilled")},
    "/v1/fim/completions": {
        "post": post("What goes into a gap, as Mistral's.", "FimRequest", "ChatCompletion")
    },
    "/tabby/v1/completions": {
        "post": post("What goes into a gap, as Tabby's.", "TabbyRequest", "TabbyCompletion")
    },
    "/tabby/v1/health": {"get": _HEALTH, "post": _HEALTH},
    "/tabby/v1/events": {"post": _taken("Of suggestions, which nobody keeps.")},
    "/tabby/v1beta/server_setting": {
        "get": get("That clients send nothing elsewhere.", "TabbySetting", FOR_CALLERS)
    },
    "/api/generate": {"post": _generate()},
    "/api/tags": {"get": get("The models, as Ollama's.", "OllamaModels", FOR_CALLERS)},
    "/api/show": {"post": _shown()},
    "/api/version": {"get": get("The version.", "Version", ("400",)) | {"security": []}},
}

_DETAILS = {"type": "object"}
SCHEMAS: dict[str, Any] = {
    "Infilled": object_of(
        {"content": TEXT, "stop": {"type": "boolean"}, "tokens_predicted": WHOLE},
        "tokens_predicted",
    ),
    "TabbyCompletion": object_of(
        {"id": TEXT, "choices": list_of(object_of({"index": WHOLE, "text": TEXT}))}
    ),
    "TabbyHealth": object_of({"model": TEXT, "version": {"type": "object"}}),
    "TabbySetting": object_of({"disable_client_side_telemetry": {"const": True}}),
    "Generated": object_of({"model": TEXT, "response": TEXT, "done": {"type": "boolean"}}),
    "OllamaModels": object_of(
        {"models": list_of(object_of({"name": TEXT, "model": TEXT, "details": _DETAILS}))}
    ),
    "OllamaModel": object_of(
        {
            "details": _DETAILS,
            "model_info": object_of({"any.context_length": WHOLE_OR_NULL}),
            "capabilities": list_of({"enum": ["completion", "insert", "embedding"]}),
        }
    ),
    "Version": object_of({"version": TEXT}),
}
