"""The API as the official client sees it, and what it refuses."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam

from tests.serve.conftest import Service

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "def add("}]


@pytest.fixture
def client(service: Service) -> Iterator[OpenAI]:
    with service.client() as asking:
        yield asking


def test_models_are_listed_by_public_name_without_paths(
    service: Service, client: OpenAI, checkpoint: Path
) -> None:
    assert [model.id for model in client.models.list()] == ["tiny"]
    assert str(checkpoint.parent) not in httpx.get(f"{service.url}/models").text
    health = httpx.get(service.url.removesuffix("/v1") + "/health")
    assert health.json() == {"status": "ok"}


def test_chat_streams_what_it_answers_at_once(client: OpenAI) -> None:
    whole = client.chat.completions.create(
        model="tiny", messages=HELLO, max_tokens=12, temperature=0
    )
    chunks = list(
        client.chat.completions.create(
            model="tiny",
            messages=HELLO,
            max_tokens=12,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert whole.model == "tiny"
    assert whole.choices[0].message.content == streamed
    assert whole.usage is not None
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens > 0


def test_completions_stream_what_they_answer_at_once(client: OpenAI) -> None:
    whole = client.completions.create(model="tiny", prompt="def ", max_tokens=8, temperature=0)
    chunks = client.completions.create(
        model="tiny", prompt="def ", max_tokens=8, temperature=0, stream=True
    )
    streamed = "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)
    assert whole.choices[0].text == streamed
    assert whole.model == "tiny"


def test_unknown_model_is_404_and_lists_the_names(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="tiny") as caught:
        client.chat.completions.create(model="other", messages=HELLO)
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"


def test_request_over_the_context_is_400(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="256") as caught:
        client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "12345 " * 500}], stream=True
        )
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "messages")
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model="tiny", prompt="12345 " * 500)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "prompt")


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"{bad", 400, None),
        (b"[]", 400, None),
        (b'{"model": 5, "messages": [{"role": "user", "content": "x"}]}', 400, "model"),
        (b'{"model": "tiny"}', 400, "messages"),
        (b'{"model": "tiny", "messages": []}', 400, "messages"),
        (b'{"model": "tiny", "messages": [{"role": 5, "content": ""}]}', 400, "messages.0.role"),
        (
            b'{"model": "tiny", "messages": [{"role": "user", "content": "x"}], "max_tokens": "x"}',
            400,
            "max_tokens",
        ),
        (b" " * ((4 << 20) + 1), 413, None),
    ],
)
def test_bad_requests_are_refused_in_openai_shape(
    service: Service, body: bytes, status: int, param: str | None
) -> None:
    response = httpx.post(f"{service.url}/chat/completions", content=body)
    assert response.status_code == status
    error = response.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert error["message"]


def test_unknown_route_and_method_are_refused_in_openai_shape(service: Service) -> None:
    assert httpx.get(f"{service.url}/nothing").json()["error"]["message"] == "Not Found"
    assert httpx.get(f"{service.url}/chat/completions").status_code == 405


def test_pages_of_other_sites_may_not_use_the_service(service: Service) -> None:
    url = f"{service.url}/models"
    assert httpx.get(url, headers={"Host": "attacker.example"}).status_code == 400
    assert httpx.get(url, headers={"Origin": "http://attacker.example"}).status_code == 403
    assert httpx.get(url, headers={"Origin": "null"}).status_code == 403
    assert "access-control-allow-origin" not in httpx.get(url).headers


def test_an_origin_that_the_settings_name_may_ask_and_no_other(
    start_service: Callable[..., Service], tmp_path: Path
) -> None:
    config = tmp_path / "service.toml"
    config.write_text('[browsers]\norigins = ["onlyoffice://plugin"]\n')
    url = f"{start_service('--config', config).url}/models"
    ours, other = {"Origin": "onlyoffice://plugin"}, {"Origin": "http://attacker.example"}
    may = "access-control-allow-origin"
    assert httpx.get(url, headers=ours).headers[may] == "onlyoffice://plugin"
    assert httpx.get(url, headers=other).status_code == 403
    assert may not in httpx.get(url, headers=other).headers
    asks = {"Access-Control-Request-Method": "POST"}
    wants = asks | {"Access-Control-Request-Headers": "authorization, content-type"}
    assert httpx.options(url, headers=ours | wants).status_code == 200
    assert may not in httpx.options(url, headers=other | wants).headers


def test_with_a_key_only_the_key_opens(
    start_service: Callable[..., Service], tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("clé-secrète\n")
    service = start_service("--api-key-file", tmp_path / "key", "--host", "0.0.0.0")
    for header in ({}, {"Authorization": "Bearer no"}, {"Authorization": "Basic x"}):
        response = httpx.get(f"{service.url}/models", headers=header)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"
    right = {b"Authorization": "Bearer clé-secrète".encode(), b"Host": b"models.example"}
    assert httpx.get(f"{service.url}/models", headers=right).status_code == 200
    with service.client("wrong") as client, pytest.raises(openai.AuthenticationError):
        client.models.list()
    service.process.terminate()
    assert service.process.wait(20) == 0


def test_echo_is_refused_by_name_since_the_engine_leaves_it_out(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model="tiny", prompt="def ", echo=True, logprobs=1, max_tokens=1)
    assert caught.value.code == "unsupported_by_provider"
    assert caught.value.param == "echo"


def test_more_streams_than_places_all_end(start_service: Callable[..., Service]) -> None:
    service = start_service("--parallel", 2)
    body = {"model": "tiny", "prompt": "def ", "max_tokens": 80, "stream": True}

    def ask(client: httpx.Client) -> bool:
        answer = client.post(f"{service.url}/completions", json=body)
        return answer.status_code == 200 and "[DONE]" in answer.text

    with httpx.Client(timeout=60) as client, ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, [client] * 100))
