"""The gateway over an engine that the test plays: clients that leave, engines that break off."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
from openai import OpenAI

from archipel.serve.engine import Address, Engine, EngineSettings
from archipel.serve.gateway import create_app
from tests.serve.scripted import ScriptedService, hosted_in_thread


class _ElsewhereEngine(Engine):
    """An engine that runs already, at `url`."""

    def __init__(self, url: str) -> None:
        super().__init__("island", Path("none.gguf"), EngineSettings())
        self._url = url

    async def address(self) -> Address:
        return Address(self._url, "engine-key")


@pytest.fixture
def url(scripted: ScriptedService) -> Iterator[str]:
    engine = _ElsewhereEngine(scripted.url.removesuffix("/v1"))
    app = create_app({"island": engine}, httpx.AsyncClient(trust_env=False), None)
    with hosted_in_thread(app) as gateway:
        yield f"{gateway}/v1"


def _stream(url: str) -> "openai.Stream[openai.types.chat.ChatCompletionChunk]":
    client = OpenAI(base_url=url, api_key="none", max_retries=0, timeout=20)
    return client.chat.completions.create(
        model="island", messages=[{"role": "user", "content": "Hi"}], stream=True
    )


def test_the_engine_stops_when_the_client_leaves(url: str, scripted: ScriptedService) -> None:
    body = {"model": "island", "messages": [{"role": "user", "content": "Hi"}]}
    with httpx.stream("POST", f"{url}/chat/completions", json=body) as response:
        assert scripted.asked() == body
        scripted.say("a beginning")
        next(response.iter_raw())
        assert not scripted.client_left.is_set()
    assert scripted.client_left.wait(20)


def test_an_answer_that_has_not_begun_stops_too(url: str, scripted: ScriptedService) -> None:
    scripted.hold = True
    body = {"model": "island", "messages": [{"role": "user", "content": "Hi"}]}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{url}/chat/completions", json=body, timeout=httpx.Timeout(20, read=0.2))
    assert scripted.client_left.wait(20)


def test_an_engine_that_breaks_off_ends_the_stream_with_an_error(
    url: str, scripted: ScriptedService
) -> None:
    stream = _stream(url)
    scripted.asked()
    scripted.say("a beginning")
    assert next(stream).choices[0].delta.content == "a beginning"
    scripted.send(ConnectionError("the engine crashed"))
    with pytest.raises(openai.APIError, match="started again"):
        list(stream)
