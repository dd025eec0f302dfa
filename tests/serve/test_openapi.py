"""The service against its own OpenAPI document: requests made from it, answers checked by it."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from archipel.serve.access import OneKeyAccess
from archipel.serve.gateway import create_app
from archipel.serve.openapi import document
from archipel.serve.providers import Directory, OpenAIProvider
from archipel.serve.routing import Policy, Target
from tests.serve.scripted import hosted_in_thread

_KEY = "the-only-key"
_ANSWERS: dict[str, Any] = {
    "/v1/chat/completions": {
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
        ],
    },
    "/v1/completions": {"choices": [{"index": 0, "text": "x", "finish_reason": "stop"}]},
    "/v1/images/generations": {"data": [{"b64_json": "iVBORw0="}]},
    "/v1/images/edits": {"data": [{"b64_json": "iVBORw0="}]},
    "/v1/images/variations": {"data": [{"b64_json": "iVBORw0="}]},
    "/v1/audio/speech": {},
    "/v1/audio/transcriptions": {"text": "x"},
    "/v1/audio/translations": {"text": "x"},
    "/v1/embeddings": {
        "data": [{"index": 0, "embedding": [0.5, 1.0]}],
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    },
}


async def _supply(request: Request) -> Response:
    if request.url.path == "/v1/audio/speech":
        return Response(b"ID3", media_type="audio/mpeg")
    is_form = request.headers["content-type"].startswith("multipart/")
    if not is_form and (await request.json()).get("stream"):
        stream = 'data: {"choices": [{"delta": {"content": "x"}}]}\n\ndata: [DONE]\n\n'
        return Response(stream, media_type="text/event-stream")
    return JSONResponse(_ANSWERS[request.url.path])


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A service with a key before a stand-in supplier that answers all that it is asked."""
    app = Starlette(routes=[Route(path, _supply, methods=["POST"]) for path in _ANSWERS])
    with hosted_in_thread(app) as supplier:
        policy = Policy("chat", (Target("s", "large", is_here=False),))
        directory = Directory({"chat": policy}, {"s": OpenAIProvider(f"{supplier}/v1", None)})
        with hosted_in_thread(create_app(directory, OneKeyAccess(_KEY))) as gateway:
            yield gateway


def test_the_document_is_served_without_a_key(url: str) -> None:
    response = httpx.get(f"{url}/openapi.json")
    assert response.status_code == 200
    assert response.json() == document()


_SCHEMA = schemathesis.openapi.from_dict(document())
_OPERATIONS = [found.ok() for found in _SCHEMA.get_all_operations()]
# What is in a turn is for its reader to refuse, in words that a schema does not have.
_NOT_SAID = defaultdict[str, list[Any]](
    list, {path: [positive_data_acceptance] for path in ("/v1/responses", "/v1/messages")}
)
_RIGHT = [(operation, schemathesis.GenerationMode.POSITIVE) for operation in _OPERATIONS]
_WRONG = [
    (operation, schemathesis.GenerationMode.NEGATIVE)
    for operation in _OPERATIONS
    if operation.method == "post"
]


@pytest.mark.parametrize(("operation", "mode"), _RIGHT + _WRONG, ids=lambda value: str(value)[:60])
def test_answers_are_as_the_document_says(url: str, operation: Any, mode: Any) -> None:
    @given(case=operation.as_strategy(generation_mode=mode), knows_the_name=st.booleans())
    @settings(
        max_examples=25 if operation.path.startswith(("/v1/images", "/v1/audio")) else 150,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any, knows_the_name: bool) -> None:
        if isinstance(case.body, dict):
            case.body |= {name: _written(value) for name, value in case.body.items()}
            if knows_the_name and isinstance(case.body.get("model"), str):
                case.body["model"] = "chat"
        headers = {"Authorization": f"Bearer {_KEY}"}
        response = case.call_and_validate(
            base_url=url, headers=headers, timeout=20, excluded_checks=_NOT_SAID[operation.path]
        )
        assert response.status_code < 500

    ask()


def _written(value: Any) -> Any:
    """A whole number as one: 2.0 is an integer to JSON Schema, and refused by the service."""
    if isinstance(value, dict):
        return {name: _written(one) for name, one in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value
