"""The engine of pictures: a pipeline of diffusers behind OpenAI's API, as OpenAI's client asks."""

import asyncio
import base64
import io
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from PIL import Image

from archipel.errors import ConfigError, ModelError
from archipel.serve.engine import Engine
from archipel.serve.launch import launch
from archipel.serve.setting_tables import ModelTable
from archipel.serve.weights import find_weights
from tests.images.conftest import pipeline
from tests.images.test_given import animated, bomb, saved, webp_bomb
from tests.images.test_provenance import facts_in
from tests.serve.painted import KEY, PlainPainter, painting_engine

__all__ = ["pipeline"]

Archipel = Callable[..., subprocess.Popen[str]]
_STEPS = {"steps": 2}
_RED = saved(Image.new("RGB", (40, 30), "red"))
_HOLE = saved(Image.new("RGBA", (40, 30), (0, 0, 0, 0)))

_BY_THE_CLIENT = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")


@pytest.fixture(scope="module")
def client(archipel: Archipel, checkpoint: Path, pipeline: Path) -> Iterator[OpenAI]:
    """A service with a model of pictures, `art`, and one of texts, `tiny`."""
    models = (f"art={pipeline}", f"tiny={checkpoint}")
    process = archipel("serve", *models, "--port", 0, "--context", 256, "--threads", 1)
    assert process.stdout is not None
    lines = [process.stdout.readline().split() for _ in models]
    assert lines[0], process.communicate()[1]
    assert [line[2] for line in lines] == ["pictures", "llama.cpp"]
    with OpenAI(base_url=lines[0][1], api_key="none", max_retries=0, timeout=60) as found:
        yield found
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def _opened(data: str | None) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(data or "")))
    image.load()
    return image


def test_words_become_pictures(client: OpenAI) -> None:
    def make(**fields: Any) -> Any:
        extra = {**_STEPS, "seed": 5, **fields.pop("extra", {})}
        return client.images.generate(model="art", prompt="a blue cat", extra_body=extra, **fields)

    made = make(n=2, size="auto", response_format="b64_json")
    assert (made.size, made.output_format, len(made.data)) == ("32x32", "png", 2)
    first, second = (_opened(one.b64_json) for one in made.data)
    assert (first.size, first.format) == ((32, 32), "PNG")
    assert [one.seed for one in made.data] == [5, 6]
    assert [one.text["Seed"] for one in (first, second)] == ["5", "6"]
    assert first.text["Model"] == "art"
    assert make(extra={"seed": 6}).data[0].b64_json == made.data[1].b64_json
    assert make(extra={"seed": None}).data[0].seed not in (5, None)
    assert _opened(make(size="16x24").data[0].b64_json).size == (16, 24)


def test_a_link_shows_the_picture_to_whoever_has_it(client: OpenAI) -> None:
    def make(**fields: Any) -> Any:
        extra = {**_STEPS, "seed": 5}
        made = client.images.generate(model="art", prompt="a cat", extra_body=extra, **fields)
        return made.data[0]  # type: ignore[index]

    given, lent = make(), make(response_format="url")
    assert (lent.b64_json, lent.seed) == (None, 5)
    assert lent.url.startswith(str(client.base_url))
    shown = httpx.get(lent.url)
    assert shown.content == base64.b64decode(given.b64_json)
    assert shown.headers["content-type"] == "image/png"
    assert "sandbox" in shown.headers["content-security-policy"]
    assert make(response_format="url").url != lent.url
    unknown = httpx.get(lent.url[:-1])
    assert (unknown.status_code, "made again" in unknown.json()["error"]["message"]) == (404, True)


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_pictures_come_as_the_file_that_is_asked_for(client: OpenAI, kind: Any) -> None:
    def make(**fields: Any) -> Any:
        extra = {**_STEPS, "seed": 5}
        return client.images.generate(
            model="art", prompt="a cat", output_format=kind, extra_body=extra, **fields
        )

    made = make(background="opaque", output_compression=100)
    data = base64.b64decode(made.data[0].b64_json)
    assert (made.output_format, made.background) == (kind, "opaque")
    assert _opened(made.data[0].b64_json).get_format_mimetype() == f"image/{kind}"
    said = facts_in(data)
    assert (said["Model"], said["Seed"]) == ("art", "5")
    assert make(background="auto").data == made.data
    shown = httpx.get(make(response_format="url").data[0].url)
    assert (shown.headers["content-type"], shown.content) == (f"image/{kind}", data)
    with make(stream=True) as stream:
        last = list(stream)[-1]
    assert (last.output_format, last.b64_json) == (kind, made.data[0].b64_json)


@_BY_THE_CLIENT
def test_a_webp_is_begun_from_and_made_of_it(client: OpenAI) -> None:
    webp = saved(Image.new("RGB", (40, 30), "red"), "WEBP", lossless=True)
    art: Any = {"model": "art", "prompt": "a cat", "extra_body": {**_STEPS, "seed": 1}}
    art |= {"output_format": "webp"}
    sizes = {}
    for quality in (10, 100):
        made = client.images.edit(
            image=("a.webp", webp), mask=("m.png", _HOLE), output_compression=quality, **art
        )
        [one] = made.data or []
        opened = _opened(one.b64_json)
        assert (made.output_format, opened.format, opened.size) == ("webp", "WEBP", (40, 32))
        sizes[quality] = len(one.b64_json or "")
    assert sizes[10] < sizes[100]
    of_png, of_webp = (client.images.edit(image=image, **art).data for image in (_RED, webp))
    assert of_png == of_webp
    varied = client.images.create_variation(
        image=webp, model="art", extra_body={**_STEPS, "output_format": "jpeg"}
    )
    assert (varied.output_format, _opened(varied.data[0].b64_json).format) == ("jpeg", "JPEG")  # type: ignore[index]


def test_a_stream_tells_of_each_step_before_the_picture(client: OpenAI) -> None:
    with client.images.generate(
        model="art", prompt="a cat", stream=True, partial_images=1, n=2, extra_body=_STEPS
    ) as stream:
        events: list[Any] = list(stream)
    kinds = [event.type.removeprefix("image_generation.") for event in events]
    assert kinds == ["progress"] * 5 + ["completed"] * 2
    assert [(event.step, event.steps) for event in events[1:5]] == [(n, 4) for n in range(1, 5)]
    assert _opened(events[-1].b64_json).size == (32, 32)


@_BY_THE_CLIENT
def test_pictures_are_begun_from(client: OpenAI) -> None:
    art: Any = {"model": "art", "image": ("a.png", _RED), "extra_body": {**_STEPS, "seed": 1}}
    edited = client.images.edit(prompt="a cat", **art).data[0]  # type: ignore[index]
    changed = client.images.edit(prompt="a cat", mask=("m.png", _HOLE), **art).data[0]  # type: ignore[index]
    varied = client.images.create_variation(**art).data[0]  # type: ignore[index]
    assert [_opened(one.b64_json).size for one in (edited, changed, varied)] == [(40, 32)] * 3
    assert len({one.b64_json for one in (edited, changed, varied)}) == 3
    with client.images.edit(prompt="a cat", stream=True, **art) as stream:
        assert [event.type for event in stream][-1] == "image_edit.completed"


@pytest.mark.parametrize(
    ("fields", "param", "said"),
    [
        ({"prompt": ""}, "prompt", "empty"),
        ({"prompt": " \n"}, "prompt", "empty"),
        ({"prompt": "x" * 1001}, "prompt", "1001 characters"),
        ({"n": 11}, "n", "10"),
        ({"size": "33x32"}, "size", "multiple of 8"),
        ({"size": "4096x4096"}, "size", "8 to 64"),
        ({"size": "large"}, "size", "'large' can't be made"),
        ({"response_format": "url", "stream": True}, "response_format", "stream"),
        ({"response_format": "gif"}, "response_format", "b64_json"),
        ({"output_format": "gif"}, "output_format", "'gif' is not made here.*png, jpeg, webp"),
        ({"output_compression": 80}, "output_compression", "80 is for jpeg and webp"),
        ({"output_format": "png", "output_compression": 0}, "output_compression", "a png"),
        ({"output_format": "webp", "output_compression": 101}, "output_compression", "100"),
        ({"background": "transparent"}, "background", "'transparent'.*opaque"),
        ({"style": "vivid"}, "style", "Leave it out"),
        ({"extra_body": {"seed": -1}}, "seed", "0"),
        ({"extra_body": {"steps": 0}}, "steps", "1"),
        ({"extra_body": {"guidance": "x"}}, "guidance", "number"),
    ],
)
def test_what_can_not_be_made_is_refused_by_name(
    client: OpenAI, fields: dict[str, Any], param: str, said: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=said) as caught:
        client.images.generate(**{"model": "art", "prompt": "x", **fields})
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "param", "said"),
    [
        ({"image": b""}, "image", "empty"),
        ({"image": b"<svg/>"}, "image", "neither"),
        ({"image": b"<svg xmlns='x'/>"}, "image", "SVG"),
        ({"image": bomb(20_000, 20_000)}, "image", "pixels"),
        ({"image": animated()}, "image", "animated"),
        ({"image": animated("WEBP")}, "image", "animated"),
        ({"image": webp_bomb(16_000, 16_000)}, "image", "16000x16000 pixels"),
        ({"image": [_RED, _RED]}, "image", "2 were sent.*one picture"),
        ({"image": 16 * [_RED], "mask": _HOLE}, "image", "16 were sent"),
        ({"mask": _RED}, "mask", "transparent"),
        ({"mask": saved(Image.new("RGBA", (8, 8)))}, "mask", "8x8 and the image 40x30"),
        ({"prompt": ""}, "prompt", "empty"),
        ({"extra_body": {"strength": 2}}, "strength", "1"),
    ],
)
def test_pictures_that_are_no_good_are_refused(
    client: OpenAI, fields: dict[str, Any], param: str, said: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=said) as caught:
        client.images.edit(**{"model": "art", "prompt": "x", "image": _RED, **fields})
    assert caught.value.param == param


def test_each_model_is_asked_what_it_is_for(client: OpenAI) -> None:
    told = {one.id: one for one in client.models.list()}
    assert told["art"].abilities == ["pictures"]  # type: ignore[attr-defined]
    assert told["art"].context_length is None  # type: ignore[attr-defined]
    assert told["tiny"].abilities == ["chat"]  # type: ignore[attr-defined]
    with pytest.raises(openai.BadRequestError, match="/v1/images/generations"):
        client.chat.completions.create(model="art", messages=[{"role": "user", "content": "x"}])
    with pytest.raises(openai.BadRequestError, match="pictures only"):
        client.audio.speech.create(model="art", input="x", voice="alloy")
    with pytest.raises(openai.BadRequestError, match="knows texts only"):
        client.images.generate(model="tiny", prompt="x")


def test_a_folder_that_is_no_pipeline_is_refused(pipeline: Path, tmp_path: Path) -> None:
    weights = find_weights(pipeline, tmp_path)
    assert weights.engine == "pictures"
    assert weights.bytes > 1e6
    with pytest.raises(ModelError, match=r"no model_index\.json"):
        find_weights(tmp_path, tmp_path, "pictures")
    with pytest.raises(ConfigError, match="adapters are for texts"):
        find_weights(pipeline, tmp_path, adapters={"legal": "legal.gguf"})
    (tmp_path / "model_index.json").write_text('{"_class_name": "NoPipeline"}')
    table = ModelTable(path=str(tmp_path))
    how = launch("no", table, find_weights(tmp_path, tmp_path), 1)

    async def start() -> None:
        async with Engine("no", how):
            pass

    with pytest.raises(ModelError, match="can't be loaded"):
        asyncio.run(start())


def _engine_client(url: str, key: str = KEY) -> OpenAI:
    return OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=20)


def test_work_ends_when_the_client_leaves() -> None:
    painter = PlainPainter(endless_from=0)
    with painting_engine(painter) as url, _engine_client(url) as client:
        stream = client.images.generate(prompt="streamed", stream=True)
        assert [next(stream).type for _ in range(2)] == ["image_generation.progress"] * 2  # type: ignore[attr-defined]
        brief = client.with_options(timeout=0.2)
        with pytest.raises(openai.APITimeoutError):  # it waits, and leaves before its turn
            brief.images.generate(prompt="waiting")
        stream.close()
        assert painter.stopped.get(timeout=20).prompt == "streamed"
        with pytest.raises(openai.APITimeoutError):
            brief.images.generate(prompt="whole")
        assert painter.stopped.get(timeout=20).prompt == "whole"
        painter.endless_from = 1000
        made = client.images.generate(prompt="last", extra_body={"seed": 9})
        assert _opened(made.data[0].b64_json).getpixel((0, 0)) == (9, 0, 0)  # type: ignore[index]
    assert [order.prompt for order in painter.orders] == ["streamed", "whole", "last"]


def test_so_many_wait_and_no_more() -> None:
    painter = PlainPainter(endless_from=0)
    with painting_engine(painter) as url, _engine_client(url) as client:
        streams = [client.images.generate(prompt="x", stream=True) for _ in range(16)]
        assert [next(stream).before for stream in streams] == list(range(16))  # type: ignore[attr-defined]
        with pytest.raises(openai.RateLimitError) as caught:
            client.images.generate(prompt="x")
        assert caught.value.code == "engine_busy"
        for stream in streams:
            stream.close()


@_BY_THE_CLIENT
def test_only_who_knows_the_key_is_answered() -> None:
    painter = PlainPainter()
    with painting_engine(painter) as url, _engine_client(url, "other") as client:
        for ask in (
            lambda: client.images.generate(prompt="x"),
            lambda: client.images.edit(prompt="x", image=_RED),
            lambda: client.images.create_variation(image=_RED),
            lambda: client.completions.create(model="x", prompt="x"),
        ):
            with pytest.raises(openai.AuthenticationError):
                ask()
    assert painter.orders == []


def test_a_model_is_not_asked_what_it_can_not_do() -> None:
    painter = PlainPainter()
    painter.abilities = frozenset({"generate"})
    with painting_engine(painter) as url, _engine_client(url) as client:
        with pytest.raises(openai.BadRequestError, match=r"can't edit\. It can generate"):
            client.images.edit(prompt="x", image=_RED)
        with pytest.raises(openai.BadRequestError, match="pictures only"):
            client.completions.create(model="x", prompt="x")


def test_a_failure_breaks_the_stream_off(monkeypatch: pytest.MonkeyPatch) -> None:
    painter = PlainPainter()

    def fail(order: object, tell: object) -> Any:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(painter, "paint", fail)
    with painting_engine(painter) as url, _engine_client(url) as client:
        with pytest.raises(openai.APIConnectionError):
            list(client.images.generate(prompt="x", stream=True))
        with pytest.raises(openai.InternalServerError):
            client.images.generate(prompt="x")
