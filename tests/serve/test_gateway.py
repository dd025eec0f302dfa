"""The gateway over a provider that the test plays: clients that leave, providers that break off."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest
from openai import OpenAI

from archipel.serve import upstream
from archipel.serve.access import LocalAccess
from archipel.serve.gateway import create_app
from archipel.serve.providers import Directory, OpenAIProvider
from archipel.serve.routing import Policy, Target
from tests.serve.scripted import ScriptedService, hosted_in_thread


@pytest.fixture
def url(scripted: ScriptedService) -> Iterator[str]:
    policy = Policy("island", (Target("sea", "island", is_here=False),))
    providers = {"sea": OpenAIProvider(scripted.url, None)}
    with hosted_in_thread(
        create_app(Directory({"island": policy}, providers), LocalAccess())
    ) as gateway:
        yield f"{gateway}/v1"


@pytest.fixture
def client(url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=url, api_key="none", max_retries=0, timeout=20) as asking:
        yield asking


def _stream(client: OpenAI) -> "openai.Stream[openai.types.chat.ChatCompletionChunk]":
    return client.chat.completions.create(
        model="island", messages=[{"role": "user", "content": "Hi"}], stream=True
    )


def test_the_provider_stops_when_the_client_leaves(
    client: OpenAI, scripted: ScriptedService
) -> None:
    with ThreadPoolExecutor() as pool:
        answering = pool.submit(_stream, client)
        scripted.asked()
        scripted.say("a beginning")
        stream = answering.result(20)
    assert not scripted.client_left.is_set()
    stream.close()
    assert scripted.client_left.wait(20)


def test_an_answer_that_has_not_begun_stops_too(url: str, scripted: ScriptedService) -> None:
    scripted.hold = True
    body = {"model": "island", "messages": [{"role": "user", "content": "Hi"}]}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{url}/chat/completions", json=body, timeout=httpx.Timeout(20, read=0.2))
    assert scripted.client_left.wait(20)


def test_a_provider_that_breaks_off_ends_the_stream_with_an_error(
    client: OpenAI, scripted: ScriptedService
) -> None:
    with ThreadPoolExecutor() as pool:
        answering = pool.submit(_stream, client)
        scripted.asked()
        scripted.say("a beginning")
        stream = answering.result(20)
    assert next(stream).choices[0].delta.content == "a beginning"
    scripted.send(ConnectionError("it crashed"))
    with pytest.raises(openai.APIError, match="broke off"):
        list(stream)


def test_a_provider_that_falls_silent_is_left_and_the_stream_ends_with_an_error(
    client: OpenAI, scripted: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "_SILENCE_SECONDS", 0.3)
    with ThreadPoolExecutor() as pool:
        answering = pool.submit(_stream, client)
        scripted.asked()
        scripted.say("a beginning")
        stream = answering.result(20)
    with pytest.raises(openai.APIError, match="broke off"):
        list(stream)
    assert scripted.client_left.wait(20)
