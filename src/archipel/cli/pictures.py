"""`archipel corpus pictures`, which is also `archipel corpus build --images`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup


class ByInput(TyperGroup):
    """The verbs of `archipel corpus`, where `build --images` is `pictures`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The verb that was typed, and what is left for it."""
        if args[0] == "build" and "--images" in args:
            args = ["pictures", *(one for one in args[1:] if one != "--images")]
        return super().resolve_command(ctx, args)


def pictures(
    inputs: list[Path] = typer.Argument(
        help="Folders of .png .jpg .jpeg .webp, or a .zip of one, with metadata.jsonl or NAME.txt."
    ),
    out: Path = typer.Option(..., "--out", "-o", help="Folder for the corpus."),
    size: int = typer.Option(64, help="Pixels of a side: pictures are scaled to this square."),
    values: int = typer.Option(768, help="Values of a picture: more keep more of it."),
    caption_tokens: int = typer.Option(24, help="Tokens of a caption; what is longer is cut."),
    held_out: float = typer.Option(0.01, help="Fraction of the pictures kept for measuring."),
    vocab_size: int = typer.Option(4096, help="Size of the tokenizer trained on the captions."),
    seed: int = typer.Option(0, help="Decides the order of the rows."),
) -> None:
    """Build a corpus of pictures with captions (archipel corpus build --images does the same).

    Example: archipel corpus build --images animals/ -o corpus --size 64 --values 768
    """
    from archipel.corpus.left_out import LeftOut
    from archipel.corpus.pictures import PictureOptions, build_picture_corpus
    from archipel.models.folders import complete_folder

    options = PictureOptions(
        size=size,
        values=values,
        caption_tokens=caption_tokens,
        vocab_size=vocab_size,
        held_out=held_out,
        seed=seed,
    )
    left_out = LeftOut()
    try:
        with _bar() as show, complete_folder(out) as folder:
            built = build_picture_corpus(inputs, folder, options, left_out, show)
    except KeyboardInterrupt:
        typer.echo(f"Stopped: {out} was not made.", err=True)
        raise typer.Exit(130) from None
    manifest = built.manifest
    assert manifest.pictures
    assert manifest.row_tokens
    rows = manifest.tokens("train") // manifest.row_tokens
    typer.echo(
        f"{out}: {built.pictures['train']:,} pictures to train on in {rows:,} rows, "
        f"{built.pictures['held_out']:,} held out ({manifest.duplicates:,} duplicates left out), "
        f"{caption_tokens} tokens and {manifest.pictures.values} values a row, which keep "
        f"{built.variance_kept:.2%} of the variance. Digest {manifest.digest}"
    )
    if left_out.counts:
        typer.echo(f"left out: {left_out.described()}")


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar with what is being done; nothing where there is no terminal."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=None)

        def show(what: str, done: int, count: int) -> None:
            bar.update(task, description=escape(what), completed=done, total=count or None)

        yield show
