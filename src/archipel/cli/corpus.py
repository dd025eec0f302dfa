"""`archipel corpus`: text becomes a tokenizer and token shards, and what lessons are made of."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from archipel.cli.material import Task, material_of, pair_reader
from archipel.cli.pictures import ByInput, pictures
from archipel.cli.repairs import repairs
from archipel.cli.stories import stories

if TYPE_CHECKING:
    from archipel.corpus import Manifest, Progress

app = typer.Typer(cls=ByInput, no_args_is_help=True, help="Text → tokenizer → token shards.")

app.command()(pictures)
app.command()(repairs)
app.command()(stories)


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
    fill_in: float = typer.Option(
        0.0, help="Share of the text that is rearranged for filling in the middle."
    ),
) -> None:
    """Build a corpus of text. Stopped or killed, the same command goes on where it was. With
    --images it is one of pictures, with other options: see archipel corpus pictures --help.

    Example: archipel corpus build notes/ wiki.jsonl.xz -o corpus --vocab-size 16384
    """
    from archipel.corpus import BuildOptions, build_corpus

    options = BuildOptions(field, vocab_size, tokenizer, held_out, seed, shard_bytes, fill_in)
    try:
        with _bar() as show:
            manifest = build_corpus(inputs, out, options, show)
    except KeyboardInterrupt:
        typer.echo("Stopped. The same command goes on where it was.", err=True)
        raise typer.Exit(130) from None
    typer.echo(_summary(out, manifest))


@app.command()
def lessons(
    data: list[Path] = typer.Argument(help="Files: .jsonl or, for pairs, .tsv; also .gz .xz …"),
    out: Path = typer.Option(..., "--out", "-o", help="Folder for the corpus."),
    task: Task | None = typer.Option(None, help="The data are pairs of texts, and this the task."),
    fields: str | None = typer.Option(
        None, help="The two fields or columns of a pair, as in en,fr (default: source,target)."
    ),
    one_way: bool = typer.Option(False, help="Translate from the first field to the second only."),
    asked_in: str | None = typer.Option(
        None, help="Languages in which the model is asked, as in en,fr (default: all known)."
    ),
    held_out: float = typer.Option(0.01, min=0.0, max=0.9, help="Share that is only measured on."),
    held_out_data: list[Path] = typer.Option([], help="Files to measure on instead."),
    vocab_size: int = typer.Option(4096, min=300, help="Size of the tokenizer that is trained."),
    tokenizer: str | None = typer.Option(
        None, help="Take those of a model that is to learn further: a folder, .gguf or pulled name."
    ),
    context: int = typer.Option(256, min=8, help="Tokens of a row, and most of a conversation."),
    preferences: bool = typer.Option(
        False, help="The data are pairs of a chosen and a rejected answer (DPO); give --model."
    ),
    model: str | None = typer.Option(
        None, help="The model that is to learn preferences: a folder, .gguf or pulled name."
    ),
    beta: float = typer.Option(0.1, min=1e-3, help="How closely DPO holds to that model."),
    seed: int = typer.Option(0, help="Decides the order of the conversations."),
) -> None:
    """Make a corpus of conversations or pairs, for `archipel run create`: only answers are learnt.

    Example: archipel corpus lessons en-fr.tsv --task translate --fields en,fr -o corpus

    Example: archipel corpus lessons liked.jsonl --preferences --model ./first -o liked
    """
    from archipel.corpus.left_out import LeftOut
    from archipel.tune.lesson_corpus import LessonOptions, build_lesson_corpus
    from archipel.tune.preference_corpus import PreferenceOptions, build_preference_corpus

    start, left_out = _start(model, tokenizer, preferences=preferences), LeftOut()
    pair = pair_reader(task, fields, asked_in, one_way=one_way)
    material = material_of(data, held_out_data, pair, prefers=preferences)
    if preferences:
        assert start
        asked = PreferenceOptions(context=context, held_out=held_out, beta=beta, seed=seed)
        manifest = build_preference_corpus(start, material, out, asked, left_out)
    else:
        options = LessonOptions(
            vocab_size=vocab_size, row_tokens=context, held_out=held_out, seed=seed
        )
        manifest = build_lesson_corpus(material, out, options, left_out, start=start)
    typer.echo(
        f"{out}: {manifest.documents:,} {'pairs' if preferences else 'conversations'} from "
        f"{material.kind}, {manifest.tokens('train'):,} tokens to train on, "
        f"{manifest.tokens('held_out'):,} held out, in rows of {manifest.row_tokens}. "
        f"Digest {manifest.digest}"
    )
    if left_out.counts:
        typer.echo(f"left out: {left_out.described()}")


def _start(model: str | None, tokenizer: str | None, *, preferences: bool) -> Path | None:
    """Where the model is that is to learn further, if one is named.

    Raises:
        ConfigError: it is needed and not named, or named by the other option.
        ModelError: there is no such model.
    """
    from archipel import config
    from archipel.errors import ConfigError
    from archipel.models.here import resolve_model

    if preferences and (tokenizer or not model):
        raise ConfigError(
            "preferences are measured from the model that learns them, and are in its tokens: give "
            "it with --model, and no --tokenizer"
        )
    if model and not preferences:
        raise ConfigError(
            "--model is of --preferences. For a model to learn answers further give its tokenizer, "
            f"--tokenizer {model}"
        )
    named = model or tokenizer
    return resolve_model(named, config.home()) if named else None


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
