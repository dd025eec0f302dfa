"""archipel image: pictures from words, by a service or a model of this machine."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from archipel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from contextlib import AsyncExitStack

    from archipel.chat import ChatService, PictureNews, PictureUpload

_SUFFIXES = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"RIFF": ".webp"}
_MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp"}
_NAME_CHARACTERS = 40
Format = Literal["png", "jpeg", "webp"]


def image(
    words: list[str] = typer.Argument(help="What the picture is to show."),
    model: str | None = typer.Option(
        None, "--model", "-m", help="A model of the service, or one on this disk."
    ),
    out: Path = typer.Option(Path(), "--out", "-o", help="The folder for the pictures."),
    count: int = typer.Option(1, "--count", "-n", min=1, max=1000, help="How many pictures."),
    seed: int | None = typer.Option(
        None, min=0, max=(1 << 32) - 1, help="The first one's; the next has one more."
    ),
    size: str | None = typer.Option(
        None, help="WIDTHxHEIGHT in pixels.  [default: the model's own]"
    ),
    steps: int | None = typer.Option(None, min=1, help="More take longer, and may show more."),
    begin: Path | None = typer.Option(None, "--from", help="A PNG, JPEG or WebP to begin from."),
    strength: float | None = typer.Option(
        None, min=0.01, max=1, help="How much of --from is changed, 0.01 to 1."
    ),
    format_: Format | None = typer.Option(
        None, "--format", help="As what they are written.  [default: the service's own, png]"
    ),
    url: str = typer.Option("http://127.0.0.1:8080/v1", help="An OpenAI-compatible service."),
) -> None:
    """Make pictures from words, each in a file of its own; none is overwritten.

    Example: archipel image "un chat bleu" -m painter -o pictures -n 4 --seed 7
    """
    import asyncio

    wanted = {"size": size, "steps": steps, "strength": strength, "output_format": format_}
    options = {name: value for name, value in wanted.items() if value is not None}
    if strength is not None and begin is None:
        raise ConfigError("--strength says how much of a picture is changed: give --from IMAGE")
    work = _Work(" ".join(words), out, options, seed, _bytes_of(begin) if begin else None)
    try:
        out.mkdir(parents=True, exist_ok=True)
        asyncio.run(work.make(model, url, count))
    except OSError as error:
        raise ConfigError(f"can't write to {out}: {error}. Give another folder with -o") from error
    except KeyboardInterrupt:
        typer.echo(f"stopped; {len(work.kept)} of {count} pictures are in {out}", err=True)
        raise typer.Exit(130) from None


@dataclass
class _Work:
    """Pictures that are asked for one by one, so that each is kept as soon as it is made."""

    words: str
    folder: Path
    options: Mapping[str, object]
    seed: int | None
    begin: bytes | None
    kept: list[Path] = field(default_factory=list)

    async def make(self, model: str | None, url: str, count: int) -> None:
        from contextlib import AsyncExitStack

        from rich.console import Console
        from rich.progress import Progress

        async with AsyncExitStack() as stack:
            service, name = await _painter(stack, model, url)
            bar = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
            for number in range(count):
                task = bar.add_task(f"picture {number + 1} of {count}", total=None)
                async for news in self._asked(service, name, number):
                    if news.error is not None:
                        raise news.error
                    bar.update(task, completed=news.step, total=news.steps or None)
                    if news.file is not None:
                        self._keep(news)
                bar.remove_task(task)

    def _asked(
        self, service: "ChatService", model: str, number: int
    ) -> "AsyncGenerator[PictureNews]":
        options = {"stream": True, **self.options, **self._seed(number)}
        if self.begin is None:
            return service.make_pictures(model, self.words, **options)
        return service.change_pictures(model, self.words, [_upload(self.begin)], **options)

    def _seed(self, number: int) -> dict[str, int]:
        """Nothing where none was given: services that know no seeds would refuse one."""
        return {} if self.seed is None else {"seed": (self.seed + number) % (1 << 32)}

    def _keep(self, news: "PictureNews") -> None:
        assert news.file is not None
        path = write_new(self.folder, _name(self.words, news.seed), news.file)
        self.kept.append(path)
        said = "" if news.seed is None else f"  seed {news.seed}"
        typer.echo(f"{path}{said}")


async def _painter(
    stack: "AsyncExitStack", model: str | None, url: str
) -> "tuple[ChatService, str]":
    """Who makes the pictures, and its model.

    Raises:
        ConfigError: no model was named, and none of the service's says that it makes pictures.
    """
    from archipel.cli.answering import answering

    service, names = await answering(stack, model, url, kind="pictures")
    if model is not None:
        return service, model if model in names else names[0]
    for one in await service.models():
        if "pictures" in (one.get("abilities") or ()):
            return service, str(one["id"])
    listed = ", ".join(names)
    raise ConfigError(
        f"no model at {url} says that it makes pictures ({listed}). Name one with -m, of the "
        "service or of this disk."
    )


def write_new(folder: Path, name: str, data: bytes) -> Path:
    """A new file in `folder` called like `name`, with the ending of what `data` is.

    Raises:
        OSError: it can't be written.
    """
    suffix = _suffix(data)
    for number in itertools.count(1):
        path = folder / f"{name}{'' if number == 1 else f'-{number}'}{suffix}"
        try:
            with path.open("xb") as file:
                file.write(data)
        except FileExistsError:
            continue
        return path
    raise AssertionError  # the numbers do not end


def _name(words: str, seed: int | None) -> str:
    said = re.sub(r"\W+", "-", words.lower()).strip("-")[:_NAME_CHARACTERS].strip("-")
    return "-".join([said or "picture", *([] if seed is None else [str(seed)])])


def _upload(data: bytes) -> "PictureUpload":
    suffix = _suffix(data)
    return f"picture{suffix}", data, _MEDIA_TYPES.get(suffix, "application/octet-stream")


def _suffix(data: bytes) -> str:
    return next((end for head, end in _SUFFIXES.items() if data.startswith(head)), ".bin")


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"can't read {file}: {error.strerror}. Check --from.") from error
