"""Pictures and sounds through routes, with keys and limits, as OpenAI's client asks for them."""

import asyncio
import base64
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from archipel.database import Database
from archipel.serve.accounts.access import AccountAccess
from archipel.serve.accounts.administer import Office
from archipel.serve.accounts.meter import Meter
from archipel.serve.gateway import create_app
from archipel.serve.providers import AnthropicProvider, Directory, OpenAIProvider
from archipel.serve.routing import PiecePrice, Policy, Target
from archipel.serve.rules import Rule
from tests.serve.accounts.conftest import PEPPER, add_key
from tests.serve.accounts.test_access import NOW, Clock, _billed
from tests.serve.scripted import hosted_in_thread

# Nothing here is another database's matter.
pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)

_PICTURE = b"\x89PNG\r\n\x1a\n--not-a-boundary\r\n\x00\xff"
_SOUND = bytes(range(256)) * 1024  # with everything that could end an event
_NANOS = 1_000_000_000


@dataclass
class Studio:
    """Makes pictures and sounds; keeps what it was asked."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    breaks: bool = False

    async def picture(self, request: Request) -> Response:
        self.asked.append(await request.json())
        data = [{"b64_json": base64.b64encode(_PICTURE).decode()}] * self.asked[-1].get("n", 1)
        usage = {"input_tokens": 7, "output_tokens": 90, "total_tokens": 97}
        return JSONResponse({"created": 1, "data": data, "usage": usage})

    async def speech(self, request: Request) -> Response:
        self.asked.append(await request.json())
        return StreamingResponse(self._sound(), media_type="audio/mpeg")

    async def _sound(self) -> Any:
        for start in range(0, len(_SOUND), 1 << 14):
            yield _SOUND[start : start + (1 << 14)]
        if self.breaks:
            raise ConnectionError

    async def form(self, request: Request) -> Response:
        form = await request.form()
        texts: dict[str, Any] = {}
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                one: Any = [value.filename, value.content_type, await value.read()]
            else:
                one = value
            texts.setdefault(name, []).append(one)
        await form.close()
        self.asked.append(texts)
        if request.url.path.startswith("/v1/images"):
            return JSONResponse({"created": 1, "data": [{"b64_json": ""}]})
        if texts.get("response_format") == ["text"]:
            return Response("hello", media_type="text/plain")
        return JSONResponse({"text": "hello"})


async def _fail(request: Request) -> Response:
    await request.body()
    return JSONResponse({"error": {"message": "no"}}, 500)


@dataclass
class Door:
    url: str
    accounts: Database
    studio: Studio

    def client(self, secret: str) -> OpenAI:
        return OpenAI(base_url=f"{self.url}/v1", api_key=secret, max_retries=0, timeout=20)


@pytest.fixture
def door(accounts: Database) -> Iterator[Door]:
    studio, meter = Studio(), Meter(accounts, Clock())
    post = ["POST"]
    works = Starlette(
        routes=[
            Route("/v1/images/generations", studio.picture, methods=post),
            Route("/v1/audio/speech", studio.speech, methods=post),
            Route("/v1/{path:path}", studio.form, methods=post),
        ]
    )
    broken = Starlette(routes=[Route("/{path:path}", _fail, methods=post)])
    with contextlib.ExitStack() as stack:
        urls = [stack.enter_context(hosted_in_thread(app)) + "/v1" for app in (broken, works)]
        providers = {
            **{name: OpenAIProvider(url, None) for name, url in zip("bw", urls, strict=True)},
            "claude": AnthropicProvider(urls[0], None, "2023-06-01"),
        }
        price = PiecePrice(picture=_NANOS // 25)
        targets = [Target(name, "large", is_here=False, pieces=price) for name in "bw"]
        named = {"art": tuple(targets), "claude": (Target("claude", "c", is_here=False),)}
        policies = {name: Policy(name, its) for name, its in named.items()}
        access = AccountAccess(accounts, meter, PEPPER, 100, {}, Clock())
        runner = stack.enter_context(asyncio.Runner())
        writing = meter.writing()
        runner.run(writing.__aenter__())
        app = create_app(Directory(policies, providers), access)
        yield Door(stack.enter_context(hosted_in_thread(app)), accounts, studio)
    with asyncio.Runner() as last:
        last.run(writing.__aexit__(None, None, None))


def test_pictures_fall_over_and_are_billed_by_the_piece(door: Door) -> None:
    with door.client(add_key(door.accounts, "money/month=1")) as client:
        made = client.images.generate(model="art", prompt="a reef", n=2)
        assert made.data is not None
        assert [base64.b64decode(one.b64_json or "") for one in made.data] == [_PICTURE] * 2
    assert door.studio.asked == [{"model": "large", "prompt": "a reef", "n": 2}]
    (row,) = _billed(door.accounts, 1)
    assert (row.endpoint, row.provider, row.nanos) == ("/images/generations", "w", 2 * _NANOS // 25)
    assert (row.prompt_tokens, row.completion_tokens, row.estimated) == (7, 90, False)


def test_a_budget_holds_for_pictures_and_lets_no_sound_without_a_price(door: Door) -> None:
    with door.client(add_key(door.accounts, "money/month=0.1")) as client:
        client.images.generate(model="art", prompt="a reef", n=2)
        with pytest.raises(openai.RateLimitError) as spent:
            client.images.generate(model="art", prompt="a reef")
        assert spent.value.code == "insufficient_quota"
        with pytest.raises(openai.PermissionDeniedError) as unknown:
            client.audio.speech.create(model="art", input="hello", voice="alloy")
        assert unknown.value.code == "price_unknown"
    assert len(door.studio.asked) == 1


def test_speech_comes_byte_for_byte(door: Door) -> None:
    with door.client(add_key(door.accounts, "requests/day=2")) as client:
        speech = client.audio.speech.create(model="art", input="hello", voice="alloy")
        assert speech.content == _SOUND
        assert speech.response.headers["content-type"] == "audio/mpeg"
        assert speech.response.headers["x-archipel-provider"] == "w"
        with client.audio.speech.with_streaming_response.create(
            model="art", input="hello", voice="alloy"
        ) as streamed:
            assert b"".join(streamed.iter_bytes()) == _SOUND
        with pytest.raises(openai.RateLimitError):
            client.audio.speech.create(model="art", input="hello", voice="alloy")
    assert [row.outcome for row in _billed(door.accounts, 2)] == ["answered"] * 2


def test_a_sound_that_breaks_off_does_not_seem_whole(door: Door) -> None:
    door.studio.breaks = True
    with door.client(add_key(door.accounts)) as client, pytest.raises(openai.APIConnectionError):
        client.audio.speech.create(model="art", input="hello", voice="alloy")
    (row,) = _billed(door.accounts, 1)
    assert row.outcome == "failed"


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # by the client's own makers
def test_forms_go_on_with_all_that_is_in_them(door: Door) -> None:
    with door.client(add_key(door.accounts)) as client:
        sound = ('a "b"\r\nX: y.wav', _SOUND, "audio/wav")
        heard = client.audio.transcriptions.create(
            model="art",
            file=sound,
            language="de",
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        )
        assert heard.text == "hello"
        said = client.audio.translations.create(model="art", file=sound, response_format="text")
        assert said == "hello"
        pictures = [("a.png", _PICTURE, "image/png"), ("b.png", b"", "image/png")]
        assert client.images.edit(model="art", image=pictures, prompt="île", n=3).data
        assert client.images.create_variation(model="art", image=pictures[0]).data
    transcript, translation, edit, variation = door.studio.asked
    name, kind, data = transcript["file"][0]
    assert ("\r" in name, "\n" in name, kind, data) == (False, False, "audio/wav", _SOUND)
    assert transcript["timestamp_granularities[]"] == ["word", "segment"]
    assert (transcript["language"], translation["response_format"]) == (["de"], ["text"])
    assert edit["image[]"] == [["a.png", "image/png", _PICTURE], ["b.png", "image/png", b""]]
    assert (edit["prompt"], edit["n"]) == (["île"], ["3"])
    assert variation["image"] == [["a.png", "image/png", _PICTURE]]
    assert {one["model"][0] for one in door.studio.asked} == {"large"}
    rows = _billed(door.accounts, 4)
    assert [row.nanos for row in rows] == [0, 0, 3 * _NANOS // 25, _NANOS // 25]


def test_an_edit_goes_on_with_sixteen_pictures_and_a_mask(door: Door) -> None:
    pictures = [(f"{n}.webp", bytes([n]) * n, "image/webp") for n in range(16)]
    with door.client(add_key(door.accounts)) as client:
        made = client.images.edit(
            model="art",
            image=pictures,
            mask=("m.png", _PICTURE, "image/png"),
            prompt="all of them at a table",
            output_format="webp",
            output_compression=40,
            background="transparent",
        )
    assert made.data
    (asked,) = door.studio.asked
    assert asked["image[]"] == [[name, kind, data] for name, data, kind in pictures]
    assert asked["mask"] == [["m.png", "image/png", _PICTURE]]
    said = [asked[name] for name in ("output_format", "output_compression", "background")]
    assert said == [["webp"], ["40"], ["transparent"]]


_FILE = ("a.wav", b"x", "audio/wav")


_WRONG_FORMS: list[tuple[dict[str, Any], int]] = [
    ({"files": {"file": _FILE}}, 400),
    ({"data": {"model": "art"}}, 400),
    ({"data": {"model": "art", "n": "many"}, "files": {"file": _FILE}}, 400),
    ({"data": {"model": "art", "n": "11"}, "files": {"file": _FILE}}, 400),
    ({"data": {"model": ["art", "art"]}, "files": {"file": _FILE}}, 400),
    ({"data": {"model": "nothing"}, "files": {"file": _FILE}}, 404),
    ({"data": {"model": "claude"}, "files": {"file": _FILE}}, 400),
    (
        {"data": {"model": "art", **{str(n): "x" for n in range(80)}}, "files": {"f": _FILE}},
        400,
    ),
    ({"data": {"model": "art", "prompt": "x" * (2 << 20)}, "files": {"f": _FILE}}, 400),
    ({"data": {"model": "art"}, "files": [("f", _FILE)] * 18}, 400),
    ({"data": {"model": "art"}, "files": {"f": ("a", b"x" * (27 << 20))}}, 413),
    ({"json": {"model": "art"}}, 400),
    ({"content": b"", "headers": {"content-type": "multipart/form-data"}}, 400),
    ({"content": b"--x", "headers": {"content-type": "multipart/form-data; boundary=y"}}, 400),
]


def test_a_form_that_is_wrong_is_refused(door: Door) -> None:
    key = {"Authorization": f"Bearer {add_key(door.accounts)}"}
    for fields, status in _WRONG_FORMS:
        sent = {**fields, "headers": {**key, **fields.get("headers", {})}}
        found = httpx.post(f"{door.url}/v1/audio/transcriptions", timeout=20, **sent)
        assert found.status_code == status, (str(fields)[:80], found.text)
        assert found.json()["error"]["message"]
    assert door.studio.asked == []


def test_content_rules_hold_for_what_is_to_be_made(door: Door) -> None:
    secret = add_key(door.accounts)
    with door.accounts.writing() as connection:
        rule = Rule("mails", ("in", "out"), "pattern", "email", "mask")
        Office(connection, "tester", NOW).add_rule(rule, f"key:{secret[:13]}")
    with door.client(secret) as client:
        client.images.generate(model="art", prompt="a card for jo@example.org")
        client.images.edit(model="art", image=_FILE, prompt="jo@example.org")
        client.audio.speech.create(model="art", input="I am jo@example.org", voice="alloy")
        with pytest.raises(openai.BadRequestError, match="transcripts"):
            client.audio.transcriptions.create(model="art", file=_FILE)
    assert json.dumps(door.studio.asked, default=str).count("[email]") == 3
    assert "jo@" not in str(door.studio.asked)
