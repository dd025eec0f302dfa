"""The client of OpenAI-compatible services: what it reads, and how it says what went wrong."""

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from archipel.chat import ChatService, Delta, Message, PictureNews, ServiceError
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


def test_what_follows_plain_text_comes_in_pieces_too(scripted: ScriptedService) -> None:
    async def answer() -> list[Delta]:
        async with ChatService(scripted.url) as service:
            stream = service.stream_completion("reef", "a = ", suffix="\nb", max_tokens=4)
            return [delta async for delta in stream]

    with ThreadPoolExecutor() as pool:
        asking = pool.submit(asyncio.run, answer())
        asked = scripted.asked()
        told = {name: asked[name] for name in ("model", "prompt", "suffix", "max_tokens")}
        assert told == {"model": "reef", "prompt": "a = ", "suffix": "\nb", "max_tokens": 4}
        scripted.write("1", " + 2")
        deltas = asking.result(20)
    assert [delta.text for delta in deltas] == ["1", " + 2", ""]
    assert deltas[-1].ended == "stop"


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


async def _pictures(url: str) -> list[PictureNews]:
    async with ChatService(url) as service:
        news = service.make_pictures("island", "a boat", n=2, stream=True)
        return [one async for one in news]


@pytest.fixture
def paint(scripted: ScriptedService) -> Iterator[Callable[[], "Future[list[PictureNews]]"]]:
    """Ask for two pictures in a thread, so that the test can send them."""
    with ThreadPoolExecutor() as pool:

        def start() -> "Future[list[PictureNews]]":
            asking = pool.submit(asyncio.run, _pictures(scripted.url))
            assert scripted.asked()["n"] == 2
            return asking

        yield start


def test_pictures_arrive_with_their_steps(scripted: ScriptedService, paint: Any) -> None:
    asking = paint()
    scripted.event("progress", None, step=0, steps=None, before=0)
    scripted.event("progress", 0, step=7, steps=20)
    scripted.event("partial_image", 0, b64_json="", partial_image_index=0)
    scripted.picture(1, b"one")
    scripted.event("completed", 0, b64_json="dHdv", seed=9)
    scripted.event("completed", 0, b64_json="dHdv", seed=10**30)
    scripted.send(None)
    assert asking.result(20) == [
        PictureNews(index=None),
        PictureNews(index=0, step=7, steps=20),
        PictureNews(index=1, file=b"one"),
        PictureNews(index=0, file=b"two", seed=9),
        PictureNews(index=0, file=b"two"),
    ]


def test_one_picture_fails_and_all_do(scripted: ScriptedService, paint: Any) -> None:
    asking = paint()
    error = {"message": "no memory", "code": "busy"}
    scripted.event("failed", 0, error=error)
    scripted.picture(1, b"one")
    scripted.send(None)
    failed, came = asking.result(20)
    assert (failed.index, str(failed.error), failed.error.code) == (0, "no memory", "busy")
    assert came.file == b"one"
    asking = paint()
    scripted.send(f"data: {json.dumps({'type': 'error', 'error': error})}\n\n".encode())
    scripted.send(None)
    with pytest.raises(ServiceError, match="no memory"):
        asking.result(20)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "without a picture"),
        (b"data: {}\n\n", "without a picture"),
        (b"data: []\n\n", "without a picture"),
        (b'data: {"type": "image_generation.completed"}\n\n', "without a picture"),
        (b'data: {"type": ".completed", "b64_json": "<svg>"}\n\n', "without a picture"),
        (b'data: {"type": ".progress", "step": null, "steps": 1}\n\n', "without a picture"),
        (b'data: {"type": ".progress", "step": Infinity, "steps": 1}\n\n', "without a picture"),
        (b"data: " + b"x" * (29 << 20), "over 28 MiB"),
        (b"data: " + b"x\ndata: " * (5 << 20), "over 28 MiB"),
    ],
)
def test_no_picture_but_something_else(
    scripted: ScriptedService, paint: Any, sent: bytes, said: str
) -> None:
    asking = paint()
    scripted.send(sent)
    scripted.send(None)
    with pytest.raises(ServiceError, match=said):
        asking.result(20)


def test_a_stream_of_pictures_that_breaks_is_cut_off(scripted: ScriptedService, paint: Any) -> None:
    asking = paint()
    scripted.picture(0, b"one")
    scripted.send(RuntimeError("down"))
    with pytest.raises(ServiceError) as caught:
        asking.result(20)
    assert caught.value.code == "cut_off"
