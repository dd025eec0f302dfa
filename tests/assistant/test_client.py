"""The client of OpenAI-compatible services: what it reads, and how it says what went wrong."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from archipel.chat import ChatService, Delta, Message, ServiceError
from tests.serve.scripted import ScriptedService, hosted_in_thread

Ask = Callable[[], "Future[list[Delta]]"]


async def _answer(url: str) -> list[Delta]:
    async with ChatService(url) as service:
        return [delta async for delta in service.stream_chat([Message("user", "Hi")], "island")]


@pytest.fixture
def ask(scripted: ScriptedService) -> Ask:
    """Ask in a thread, so that the test can write the answer."""
    pool = ThreadPoolExecutor()

    def start() -> "Future[list[Delta]]":
        asking = pool.submit(asyncio.run, _answer(scripted.url))
        assert scripted.asked()["messages"] == [{"role": "user", "content": "Hi"}]
        return asking

    return start


def test_pieces_arrive_as_they_were_sent(scripted: ScriptedService, ask: Ask) -> None:
    asking = ask()
    scripted.send(b": a comment\n\n")
    scripted.say("line\u2028separator ", "\u0085 é")
    chunk = json.dumps({"choices": [{"delta": {"content": "split"}}]}).encode()
    scripted.send(b"data:" + chunk[:9])
    scripted.send(chunk[9:] + b"\r\n\r\n")
    scripted.finish(tokens=3)
    deltas = asking.result(20)
    assert "".join(delta.text for delta in deltas) == "line\u2028separator \u0085 ésplit"
    assert deltas[-1].answer_tokens == 3


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b'data: {"error": {"message": "out of luck", "code": "provider_unavailable"}}\n\n',
         "provider_unavailable", "out of luck"),
        (b"data: {broken\n\n", None, "not OpenAI's"),
        (b"data: []\n\n", None, "not OpenAI's"),
        (b"", "cut_off", "ended before the answer did"),
    ],
)  # fmt: skip
def test_an_answer_that_breaks_off_is_an_error(
    scripted: ScriptedService, ask: Ask, data: bytes, code: str | None, words: str
) -> None:
    asking = ask()
    scripted.say("a beginning")
    scripted.send(data)
    scripted.send(None)
    with pytest.raises(ServiceError, match=words) as caught:
        asking.result(20)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("status", "error", "code", "words"),
    [
        (401, {"error": {"message": "no"}}, "invalid_api_key", "ARCHIPEL_API_KEY"),
        (404, {"error": {"message": "no such model", "code": "model_not_found"}},
         "model_not_found", "no such model"),
        (500, {"detail": "?"}, None, "answered 500"),
    ],
)  # fmt: skip
def test_a_refusal_is_an_error(
    scripted: ScriptedService,
    ask: Ask,
    status: int,
    error: dict[str, object],
    code: str,
    words: str,
) -> None:
    scripted.refusal = (status, error)
    with pytest.raises(ServiceError, match=words) as caught:
        ask().result(20)
    assert caught.value.code == code


def test_what_is_no_service_is_named() -> None:
    async def models(url: str) -> list[str]:
        async with ChatService(url) as service:
            return await service.list_models()

    with pytest.raises(ServiceError, match="archipel serve") as caught:
        asyncio.run(models("http://127.0.0.1:9/v1"))
    assert caught.value.code == "unreachable"
    app = Starlette(routes=[Route("/models", lambda request: PlainTextResponse("hello"))])
    with hosted_in_thread(app) as url, pytest.raises(ServiceError, match="ends in /v1"):
        asyncio.run(models(url))
