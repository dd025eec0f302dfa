"""The configurations and the test, as the page asks for them."""

import json
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from archipel.assistant.connect import trial
from tests.assistant.conftest import Assistant
from tests.serve.scripted import ScriptedService

LISTED = [
    {"id": "island", "abilities": ["chat"]},
    {"id": "coder", "abilities": ["fill"]},
    {"id": "other", "abilities": ["fill", "chat"]},
]


def asked(assistant: Assistant, **body: Any) -> httpx.Response:
    with assistant.client() as client:
        return client.post("/api/connect/try", json=body)


def meanwhile(act: Callable[[], httpx.Response]) -> tuple[threading.Thread, list[httpx.Response]]:
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(act()))
    thread.start()
    return thread, answers


def test_configurations_have_the_models_that_can(
    assistant: Assistant, scripted: ScriptedService
) -> None:
    scripted.listed = LISTED
    with assistant.client() as client:
        found = client.get("/api/connect").json()
        assert found["fill"] == {"models": ["coder", "other"], "chosen": "coder"}
        assert found["chat"] == {"models": ["island", "other"], "chosen": "island"}
        chosen = client.get("/api/connect", params={"fill": "other", "chat": "gone"}).json()
    assert (chosen["fill"]["chosen"], chosen["chat"]["chosen"]) == ("other", "island")
    [zed] = [one for one in chosen["clients"] if one["name"] == "zed"]
    settings = json.loads(zed["snippets"][0]["text"])["edit_predictions"]
    assert settings["open_ai_compatible_api"]["model"] == "other"


def test_the_assistants_own_key_is_not_told(assistant: Assistant) -> None:
    with assistant.client() as client:
        answer = client.get("/api/connect")
    assert "secret-key" not in answer.text
    assert answer.json()["key"] == "YOUR_KEY"
    assert answer.json()["order"].startswith("archipel keys create ")


def test_a_test_fills_a_gap_with_the_assistants_key(
    assistant: Assistant, scripted: ScriptedService
) -> None:
    thread, answers = meanwhile(lambda: asked(assistant, what="fill", model="coder"))
    request = scripted.asked()
    assert request["model"] == "coder"
    assert request["suffix"] == "\n"
    assert request["max_tokens"] <= 16
    scripted.send(b"sum(prices)")
    scripted.send(None)
    thread.join()
    assert answers[0].json()["text"] == "sum(prices)"
    assert answers[0].json()["seconds"] > 0


def test_a_test_of_a_model_that_converses_is_one_token(
    assistant: Assistant, scripted: ScriptedService
) -> None:
    thread, answers = meanwhile(lambda: asked(assistant, what="chat", model="island"))
    assert scripted.asked()["max_tokens"] == 1
    scripted.say("Hi")
    scripted.finish()
    thread.join()
    assert answers[0].json()["text"] == "Hi"


def test_a_test_of_the_service_lists_its_models(
    assistant: Assistant, scripted: ScriptedService
) -> None:
    assert asked(assistant, what="models").json()["text"] == "island, reef"
    assert scripted.keys == {"Bearer secret-key"}


def test_what_the_service_refuses_is_told_with_its_words(
    assistant: Assistant, scripted: ScriptedService
) -> None:
    scripted.refusal = (400, {"error": {"message": "no gaps here", "code": "no_gaps"}})
    answer = asked(assistant, what="fill", model="island")
    assert answer.status_code == 502
    assert answer.json() == {"error": {"code": "no_gaps", "message": "no gaps here"}}


def test_a_service_that_is_not_there_is_named(assistant_over: Callable[..., Assistant]) -> None:
    answer = asked(assistant_over("http://127.0.0.1:9/v1"), what="models")
    assert answer.json()["error"]["code"] == "unreachable"
    assert "127.0.0.1:9" in answer.json()["error"]["message"]


def test_a_service_that_does_not_answer_is_given_up(
    assistant: Assistant, scripted: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "SECONDS", 2)
    answer = asked(assistant, what="fill", model="coder")
    assert answer.json()["error"]["code"] == "no_answer"
    assert scripted.client_left.wait(20)


def test_one_test_at_a_time_for_each_person(
    assistant: Assistant, scripted: ScriptedService
) -> None:
    thread, answers = meanwhile(lambda: asked(assistant, what="fill", model="coder"))
    scripted.asked()
    second = asked(assistant, what="models")
    assert (second.status_code, second.json()["error"]["code"]) == (429, "test_under_way")
    scripted.send(None)
    thread.join()
    assert answers[0].status_code == 200
    assert asked(assistant, what="models").status_code == 200


def test_another_sites_page_can_not_ask(assistant: Assistant) -> None:
    with httpx.Client(headers={"Origin": "https://elsewhere.example"}) as client:
        answer = client.post(f"{assistant.url}/api/connect/try", json={"what": "models"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "body", [{}, {"what": "all"}, {"what": "fill", "model": "x" * 201}, {"what": "models", "n": 9}]
)
def test_anything_else_is_refused(assistant: Assistant, body: dict[str, Any]) -> None:
    assert asked(assistant, **body).status_code == 400
