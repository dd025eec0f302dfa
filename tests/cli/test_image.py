"""`archipel image`: each picture in a file of its own, as soon as it is made."""

import contextlib
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from archipel.cli.image import write_new
from archipel.cli.main import app
from archipel.corpus import read_manifest
from archipel.errors import ArchipelError, ConfigError, ModelError
from archipel.images.flow import FlowModel
from archipel.images.flow_folder import save_flow
from archipel.images.sizes import flow_config
from archipel.serve.access import LocalAccess
from archipel.serve.gateway import create_app
from archipel.serve.offers import offers
from archipel.serve.providers import Directory, EngineProvider
from archipel.serve.settings import Settings
from tests.images.coloured import SIDE, build, write_pictures
from tests.images.conftest import pipeline
from tests.images.test_given import saved
from tests.serve.conftest import archipel, home
from tests.serve.painted import PlainPainter, engines_of, painting_engine
from tests.serve.scripted import ScriptedService, hosted_in_thread, scripted

__all__ = ["archipel", "home", "pipeline", "scripted"]

_NOBODY = "http://127.0.0.1:9/v1"


@pytest.fixture
def painter() -> PlainPainter:
    return PlainPainter()


@pytest.fixture
def url(painter: PlainPainter) -> Iterator[str]:
    """A service with a model of texts and then one of pictures."""
    models = {"small": {"path": "small"}, "plain": {"path": "plain", "engine": "pictures"}}
    settings = Settings.model_validate({"models": models})
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(painting_engine(painter))
        providers = {
            "small": EngineProvider(engines_of(engine, "llama.cpp"), "small"),
            "plain": EngineProvider(engines_of(engine), "plain"),
        }
        told = offers(settings, in_cluster=False)
        directory = Directory(settings.policies(), providers, offers=told)
        service = create_app(directory, LocalAccess(()))
        yield f"{stack.enter_context(hosted_in_thread(service))}/v1"


def image(*arguments: object) -> list[str]:
    """The lines that it prints."""
    done = CliRunner().invoke(app, ["image", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def _color(file: Path) -> Any:
    with Image.open(file) as opened:
        return opened.getpixel((0, 0))


def test_pictures_get_names_and_seeds(url: str, painter: PlainPainter, tmp_path: Path) -> None:
    given = ("Un chat / bleu !", "-o", tmp_path / "new", "--url", url)
    lines = image(*given, "-n", 2, "--seed", 7, "--size", "32x16", "--steps", 3)
    files = [tmp_path / "new" / f"un-chat-bleu-{seed}.png" for seed in (7, 8)]
    expected = [f"{file}  seed {seed}" for file, seed in zip(files, (7, 8), strict=True)]
    assert lines == expected
    assert [_color(file) for file in files] == [(7, 0, 0), (8, 0, 0)]
    assert {(one.width, one.height, one.steps) for one in painter.orders} == {(32, 16, 3)}
    [line] = image(*given, "-m", "plain", "--seed", 7)
    assert line.startswith(f"{tmp_path / 'new' / 'un-chat-bleu-7-2.png'}")
    [line] = image(*given)
    assert f"seed {painter.orders[-1].seed}" in line


def test_a_picture_is_begun_from(url: str, painter: PlainPainter, tmp_path: Path) -> None:
    begin = tmp_path / "begin.png"
    begin.write_bytes(saved(Image.new("RGB", (24, 24), "blue")))
    image("a cat", "-o", tmp_path, "--url", url, "--from", begin, "--strength", 0.3)
    [order] = painter.orders
    assert order.image is not None
    assert (order.image.size, order.strength) == ((24, 24), 0.3)


@pytest.mark.parametrize(("kind", "ending"), [("png", ".png"), ("jpeg", ".jpg"), ("webp", ".webp")])
def test_pictures_are_written_and_begun_from_as_any_kind(
    url: str, painter: PlainPainter, tmp_path: Path, kind: str, ending: str
) -> None:
    given = ("a cat", "-o", tmp_path, "--url", url, "--seed", 7)
    image(*given, "--format", kind)
    [file] = tmp_path.iterdir()
    assert file.name == f"a-cat-7{ending}"
    with Image.open(file) as made:
        assert made.get_format_mimetype() == f"image/{kind}"
    image(*given, "--from", file)
    begun = painter.orders[-1].image
    assert begun is not None
    assert begun.size == (64, 64)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("x", "--size", "1x1"), ArchipelError, "size: '1x1' can't be made"),
        (("x", "-m", "small"), ArchipelError, "knows texts only"),
        (("x", "--strength", 0.5), ConfigError, "--from"),
        (("x", "--from", "nowhere.png"), ConfigError, "nowhere.png"),
        (("x", "-m", "unknown"), ModelError, "unknown"),
    ],
)
def test_what_can_not_be_is_said(
    url: str, tmp_path: Path, arguments: tuple[object, ...], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        image(*arguments, "-o", tmp_path, "--url", url)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_is_said(url: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="-o"):
        image("x", "-o", tmp_path / "file", "--url", url)


def test_a_service_without_pictures_is_said(scripted: ScriptedService, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="-m"):
        image("x", "-o", tmp_path, "--url", scripted.url)


def test_a_model_of_this_disk_runs_by_itself(pipeline: Path, tmp_path: Path) -> None:
    given = ("x", "-o", tmp_path, "--url", _NOBODY, "--seed", 1, "--steps", 2)
    [line] = image(*given, "-m", pipeline)
    assert line.endswith("x-1.png  seed 1")
    with pytest.raises(ModelError, match=r"no model_index\.json"):
        image(*given, "-m", tmp_path)


def test_a_model_of_our_own_runs_by_itself(tmp_path: Path) -> None:
    """It has learnt nothing; `tests/images` asks what one that has paints."""
    write_pictures(tmp_path / "pictures")
    build(tmp_path / "pictures", tmp_path / "corpus")
    config = flow_config("nano", read_manifest(tmp_path / "corpus"), tmp_path / "corpus")
    tensors = {name: one.detach().numpy() for name, one in FlowModel(config).named_parameters()}
    save_flow(tmp_path / "own", config, tensors, tmp_path / "corpus", card="")
    given = ("red disc", "-o", tmp_path / "made", "--url", _NOBODY, "--seed", 1, "--steps", 2)
    image(*given, "-m", tmp_path / "own", "-n", 2)
    files = [tmp_path / "made" / f"red-disc-{seed}.png" for seed in (1, 2)]
    with Image.open(files[0]) as made:
        assert (made.size, made.info["Seed"], made.info["Model"]) == ((SIDE, SIDE), "1", "own")
    assert files[0].read_bytes() != files[1].read_bytes()


def test_what_is_made_is_kept_when_it_is_stopped(
    url: str,
    painter: PlainPainter,
    tmp_path: Path,
    archipel: Callable[..., subprocess.Popen[str]],
) -> None:
    painter.endless_from = 1
    process = archipel("image", "x", "-o", tmp_path, "--url", url, "-n", 5, "--seed", 3)
    assert process.stdout is not None
    assert process.stdout.readline().endswith("seed 3\n")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "1 of 5" in said
    assert [file.name for file in tmp_path.iterdir()] == ["x-3.png"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    files = (b"\x89PNG1", b"\x89PNG2", b"\xff\xd8\xff", b"?")
    made = [write_new(tmp_path, "a", data) for data in files]
    assert [file.name for file in made] == ["a.png", "a-2.png", "a.jpg", "a.bin"]
    assert made[0].read_bytes() == b"\x89PNG1"
