"""`archipel finetune`: a model learns from conversations, pairs or preferences."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from archipel.cli.material import Task, material_of, pair_reader

if TYPE_CHECKING:
    from archipel.tune.finetune import Tuned
    from archipel.tune.training import Progress

_LOG_SECONDS = 10.0


def finetune(
    model: str = typer.Argument(
        help="A checkpoint's folder, a .gguf file, a pulled name, or a run's URL."
    ),
    data: list[Path] = typer.Argument(help="Files: .jsonl or, for pairs, .tsv; also .gz .xz …"),
    out: Path = typer.Option(..., "--out", "-o", help="The folder to write."),
    task: Task | None = typer.Option(None, help="The data are pairs of texts, and this the task."),
    fields: str | None = typer.Option(
        None, help="The two fields or columns of a pair, as in en,fr (default: source,target)."
    ),
    one_way: bool = typer.Option(False, help="Translate from the first field to the second only."),
    asked_in: str | None = typer.Option(
        None, help="Languages in which the model is asked, as in en,fr (default: all known)."
    ),
    preferences: bool = typer.Option(
        False, help="The data are pairs of a chosen and a rejected answer (DPO)."
    ),
    beta: float = typer.Option(0.1, min=1e-3, help="How closely DPO holds to the first model."),
    lora: int | None = typer.Option(
        None, min=1, max=1024, help="Train an adapter of this rank, not the whole model."
    ),
    lora_alpha: float | None = typer.Option(None, min=0.1, help="Its scale (default: 2 × rank)."),
    merge: bool = typer.Option(False, help="Work the adapter into the model at the end."),
    epochs: int = typer.Option(3, min=1, help="How often to go through the data."),
    batch: int = typer.Option(32, min=1, help="Conversations in a step."),
    learning_rate: float | None = typer.Option(
        None, min=1e-9, max=1.0, help="Its peak (default: by the model's width)."
    ),
    context: int | None = typer.Option(
        None, min=8, help="Most tokens of a conversation (default: the model's context)."
    ),
    held_out: float = typer.Option(
        0.05, min=0.0, max=0.9, help="Share of the data that is only measured on."
    ),
    held_out_data: list[Path] = typer.Option([], help="Files to measure on instead."),
    default_template: bool = typer.Option(
        False, help="A plain chat template in place of the model's own."
    ),
    micro_tokens: int | None = typer.Option(
        None, min=1, help="Tokens in a forward pass (default: 4,096, fewer with many words)."
    ),
    threads: int | None = typer.Option(None, min=1, help="CPU threads (default: all it may use)."),
    seed: int = typer.Option(0, help="Decides the order of the data."),
    json_file: Path | None = typer.Option(None, "--json", help="Write the figures here."),
) -> None:
    """Tune a model. Stopped or killed, the same command goes on where it was.

    Example: archipel finetune ./first chats.jsonl -o ./first-chat

    Example: archipel finetune ./first-chat en-fr.tsv --task translate --fields en,fr -o ./fr
    """
    from archipel.errors import ConfigError

    if lora is None and (merge or lora_alpha):
        raise ConfigError("--merge and --lora-alpha are of an adapter: give --lora too")
    pair = pair_reader(task, fields, asked_in, one_way=one_way)
    material = material_of(data, held_out_data, pair, prefers=preferences)

    import torch

    from archipel import config
    from archipel.cli.signals import stopped_by_signals
    from archipel.tune.finetune import TuneOptions, finetune
    from archipel.tune.lora import Lora

    torch.set_num_threads(threads or config.usable_cores())
    options = TuneOptions(
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
        context=context,
        held_out=held_out,
        lora=Lora(lora, lora_alpha or 2 * lora) if lora else None,
        merge=merge,
        prefers=preferences,
        beta=beta,
        micro_tokens=micro_tokens,
        default_template=default_template,
        seed=seed,
    )
    start = _start(model, out)
    stop = stopped_by_signals("ending: keeping what was learnt (again to end at once)")
    with _bar() as show:
        tuned = finetune(start, material, out, options, stop, show)
    if tuned is None:
        typer.echo("Stopped. The same command goes on where it was.", err=True)
        raise typer.Exit(130)
    if json_file:
        _write_figures(json_file, tuned)
    typer.echo(_summary(tuned))


def _start(model: str, out: Path) -> Path:
    """Where the model is on this machine; a run's is exported beside what is to be made."""
    from archipel import config
    from archipel.models.here import resolve_model

    path = Path(model).expanduser()
    if "://" not in model and not (path / "run.json").exists():
        return path if path.exists() else resolve_model(model, config.home())

    from archipel.ledger import Ledger
    from archipel.store import Store
    from archipel.train.export import export_run
    from archipel.tune.work import Work

    folder = Work(out).folder / "start"
    if not folder.exists():
        export_run(Ledger.open(Store(model)), folder, name="start", gguf=None)
    return folder


@contextmanager
def _bar() -> Iterator[Callable[["Progress"], None]]:
    """A progress bar with loss, tokens/s and the time left; without a terminal, a log line now and
    then."""
    import logging
    import time

    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    log, said = logging.getLogger("archipel.tune"), time.monotonic()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[how]}"))
    with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("learning", total=None, how="")

        def show(now: "Progress") -> None:
            nonlocal said
            minutes, seconds = divmod(round(now.seconds_left), 60)
            how = (
                f"step {now.step:,} of {now.steps:,}, loss {now.loss:.3f}, "
                f"{now.tokens_per_second:,.0f} tokens/s, {minutes}:{seconds:02} left"
            )
            bar.update(task, completed=now.step, total=now.steps, how=how)
            if not console.is_terminal and time.monotonic() - said >= _LOG_SECONDS:
                said = time.monotonic()
                log.info(how)

        yield show


def _summary(tuned: "Tuned") -> str:
    course = tuned.course
    lines = [
        f"{tuned.folder}: {tuned.items:,} lessons learnt, {tuned.held_out:,} held out, from "
        f"{tuned.kind}; {course.step:,} steps, {course.tokens:,} tokens, "
        f"{course.tokens / course.seconds:,.0f} tokens/s"
    ]
    if left_out := tuned.left_out.described():
        lines.append(f"left out: {left_out}")
    if tuned.default_template:
        lines.append("chat template: a plain one, for the model's tokenizer had none of its own")
    losses = [loss for loss in course.curve if loss is not None]
    shown = " → ".join(f"{loss:.4f}" for loss in losses) or "not measured, nothing is held out"
    lines.append(f"held-out loss, before and after each epoch: {shown}")
    return "\n".join(lines)


def _write_figures(path: Path, tuned: "Tuned") -> None:
    from dataclasses import asdict

    from archipel.files import write_json

    figures = asdict(tuned)
    figures["folder"] = str(tuned.folder)
    write_json(path, figures | figures.pop("course"))
