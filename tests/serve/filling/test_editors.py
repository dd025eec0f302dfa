"""Editors' programs, each in its own shape, over a real service whose tiny model fills gaps."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from archipel.models.gaps import FAMILIES
from tests.serve.conftest import Service

BEFORE, BEHIND = "def add(first", "):\n    return 1\n"
RAW = FAMILIES["qwen"].prompt(BEFORE, BEHIND)


@pytest.fixture(scope="module")
def service(start_service: Callable[..., Service], coder: Path) -> Iterator[Service]:
    running = start_service(f"coder={coder}")
    yield running
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(20) == 0


@pytest.fixture
def client(service: Service) -> Iterator[OpenAI]:
    with service.client() as asking:
        yield asking


@pytest.fixture
def post(service: Service) -> Callable[..., httpx.Response]:
    def sent(path: str, **fields: Any) -> httpx.Response:
        return httpx.post(f"{service.url.removesuffix('/v1')}{path}", json=fields, timeout=60)

    return sent


def written(client: OpenAI, prompt: str, tokens: int = 8) -> str:
    """What the model itself writes after a prompt."""
    answer = client.completions.create(
        model="coder", prompt=prompt, max_tokens=tokens, temperature=0
    )
    assert answer.choices[0].text
    return answer.choices[0].text


def test_a_suffix_is_marked_as_the_model_has_learnt_it(client: OpenAI) -> None:
    asked: dict[str, Any] = {"model": "coder", "max_tokens": 8, "temperature": 0}
    whole = client.completions.create(prompt=BEFORE, suffix=BEHIND, **asked)
    assert whole.choices[0].text == written(client, RAW)
    chunks = client.completions.create(prompt=BEFORE, suffix=BEHIND, stream=True, **asked)
    streamed = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert "".join(choice.text for choice in streamed) == whole.choices[0].text
    assert streamed[-1].finish_reason == "length"


def test_a_model_without_marks_refuses_a_suffix_and_says_whom_to_ask(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="has not learnt to fill gaps") as refused:
        client.completions.create(model="tiny", prompt=BEFORE, suffix=BEHIND, max_tokens=4)
    assert refused.value.param == "suffix"
    abilities = {model.id: model.model_extra["abilities"] for model in client.models.list()}  # type: ignore[index]
    assert abilities == {"tiny": ["chat"], "coder": ["chat", "fill"]}


def test_llama_cpps_shape_keeps_what_is_typed_after_the_marks(
    client: OpenAI, post: Callable[..., httpx.Response]
) -> None:
    asked = {"input_prefix": "import os\n", "prompt": "def add(", "input_suffix": BEHIND}
    found = post("/infill", n_predict=8, t_max_predict_ms=5000, **asked).json()
    raw = FAMILIES["qwen"].prompt("import os\n", BEHIND) + "def add("
    assert found["content"] == written(client, raw)
    assert found["stop"]
    assert found["tokens_predicted"] == 8
    streamed = post("/infill", n_predict=8, stream=True, **asked).text.split("\n\n")
    pieces = [json.loads(one.removeprefix("data: ")) for one in streamed if one]
    said = "".join(piece["content"] for piece in pieces)
    assert said == found["content"].removesuffix("\ufffd")  # half a character at the end
    assert pieces[-1]["stop"]


def test_llama_cpps_client_may_ask_only_that_the_prompt_is_read(
    post: Callable[..., httpx.Response],
) -> None:
    found = post("/infill", input_prefix=BEFORE, input_suffix=BEHIND, n_predict=0)
    assert (found.status_code, found.json()["content"]) == (200, "")


def test_mistrals_shape_answers_like_a_chat(
    client: OpenAI, post: Callable[..., httpx.Response]
) -> None:
    asked = {"model": "coder", "prompt": BEFORE, "suffix": BEHIND, "max_tokens": 8}
    found = post("/v1/fim/completions", temperature=0, **asked).json()
    assert found["choices"][0]["message"]["content"] == written(client, RAW)
    streamed = post("/v1/fim/completions", temperature=0, stream=True, **asked).text
    lines = [line.removeprefix("data: ") for line in streamed.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    choices = [choice for line in lines[:-1] for choice in json.loads(line)["choices"]]
    said = "".join(choice["delta"]["content"] for choice in choices)
    assert said == found["choices"][0]["message"]["content"]


def test_tabbys_clients_are_answered_and_told_to_keep_their_telemetry(
    client: OpenAI, service: Service, post: Callable[..., httpx.Response]
) -> None:
    segments = {"prefix": BEFORE, "suffix": BEHIND, "filepath": "add.py"}
    found = post("/tabby/v1/completions", language="python", segments=segments).json()
    assert found["choices"][0]["text"] == written(client, RAW, 128)
    root = service.url.removesuffix("/v1")
    assert httpx.get(f"{root}/tabby/v1/health").json()["model"] == "coder"
    setting = httpx.get(f"{root}/tabby/v1beta/server_setting").json()
    assert setting == {"disable_client_side_telemetry": True}
    assert post("/tabby/v1/events", type="view").status_code == 200


def test_ollamas_shape_is_lines_unless_a_whole_answer_is_asked_for(
    client: OpenAI, service: Service, post: Callable[..., httpx.Response]
) -> None:
    options = {"num_predict": 8, "temperature": 0}
    asked = {"model": "coder", "prompt": BEFORE, "suffix": BEHIND, "options": options}
    whole = post("/api/generate", stream=False, **asked).json()
    assert whole["response"] == written(client, RAW)
    assert whole["done"]
    answer = post("/api/generate", **asked)
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert "".join(line["response"] for line in lines) == whole["response"]
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    root = service.url.removesuffix("/v1")
    names = [model["name"] for model in httpx.get(f"{root}/api/tags").json()["models"]]
    assert names == ["tiny", "coder"]
    assert post("/api/show", model="coder").json()["capabilities"] == ["completion", "insert"]


def test_ollamas_prompt_without_suffix_is_a_turn_of_a_chat(
    client: OpenAI, post: Callable[..., httpx.Response]
) -> None:
    options = {"num_predict": 8, "temperature": 0}
    asked = {"model": "tiny", "prompt": "def add(", "options": options, "stream": False}
    chat = client.chat.completions.create(
        model="tiny",
        messages=[{"role": "user", "content": "def add("}],
        max_tokens=8,
        temperature=0,
    )
    assert post("/api/generate", **asked).json()["response"] == chat.choices[0].message.content
    raw = post("/api/generate", raw=True, **asked).json()["response"]
    expected = client.completions.create(
        model="tiny", prompt="def add(", max_tokens=8, temperature=0
    )
    assert raw == expected.choices[0].text


def test_text_around_a_gap_that_is_longer_than_the_context_is_cut_where_it_is_far_away(
    post: Callable[..., httpx.Response],
) -> None:
    long = "def add(first: int, second: int) -> int:\n    return first + second\n" * 100
    found = post("/infill", input_prefix=long, input_suffix=long, n_predict=8)
    assert found.status_code == 200, found.text
    assert found.json()["tokens_evaluated"] < 256


def test_wrong_requests_are_refused_by_field(post: Callable[..., httpx.Response]) -> None:
    found = post("/infill", input_prefix=3)
    assert found.status_code == 400
    assert "input_prefix" in found.json()["error"]["message"]
    assert post("/api/generate", model="nobody", prompt="x").status_code == 404
