"""`archipel corpus`: text becomes a tokenizer and token shards."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from archipel.corpus import Manifest, Progress

app = typer.Typer(no_args_is_help=True, help="Text → tokenizer → token shards.")


@app.command()
def build(
    inputs: list[Path] = typer.Argument(
        help="Files and folders: .txt .md .py .jsonl .parquet, each also .gz .xz .bz2 .zst."
    ),
    out: Path = typer.Option(..., "--out", "-o", help="Folder for the corpus."),
    field: str = typer.Option("text", help="The field with the text, in .jsonl and .parquet."),
    vocab_size: int = typer.Option(4096, help="Size of the tokenizer that is trained."),
    tokenizer: Path | None = typer.Option(None, help="Folder of a tokenizer to take instead."),
    held_out: float = typer.Option(0.01, help="Fraction of the documents kept for measuring."),
    seed: int = typer.Option(0, help="Decides the order of the documents."),
    shard_bytes: int = typer.Option(16 << 20, help="How much text goes into one shard."),
) -> None:
    """Build a corpus. Stopped or killed, the same command goes on where it was.

    Example: archipel corpus build notes/ wiki.jsonl.xz -o corpus --vocab-size 16384
    """
    from archipel.corpus import BuildOptions, build_corpus

    options = BuildOptions(field, vocab_size, tokenizer, held_out, seed, shard_bytes)
    try:
        with _bar() as show:
            manifest = build_corpus(inputs, out, options, show)
    except KeyboardInterrupt:
        typer.echo("Stopped. The same command goes on where it was.", err=True)
        raise typer.Exit(130) from None
    typer.echo(_summary(out, manifest))


@contextmanager
def _bar() -> Iterator[Callable[["Progress"], None]]:
    """A progress bar with MB/s of text and the time left; nothing where there is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("training the tokenizer", total=None, speed="")
        began: tuple[float, int] | None = None

        def show(progress: "Progress") -> None:
            nonlocal began
            now = time.monotonic()
            began = began or (now, progress.text_bytes)
            seconds, text_bytes = now - began[0], progress.text_bytes - began[1]
            bar.update(
                task,
                description="tokenising",
                completed=progress.done_bytes,
                total=progress.total_bytes,
                speed=f"{text_bytes / 1e6 / seconds:.1f} MB/s" if text_bytes else "",
            )

        yield show


def _summary(out: Path, manifest: "Manifest") -> str:
    left_out = f"{manifest.duplicates:,} duplicates and {manifest.skipped:,} unusable left out"
    return (
        f"{out}: {manifest.documents:,} documents, {manifest.text_bytes / 1e6:,.1f} MB, "
        f"{manifest.tokens('train'):,} tokens to train on, {manifest.tokens('held_out'):,} held out"
        f" ({left_out}). Digest {manifest.digest}"
    )
