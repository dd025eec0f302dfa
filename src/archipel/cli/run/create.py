"""`archipel run create`: make a run that sites can join."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from archipel.cli.arguments import RUN_URL, token_count

if TYPE_CHECKING:
    from archipel.tune.lora import Lora

Optimiser = Literal["adamw", "muon"]


def create(
    url: str = RUN_URL,
    corpus: Path = typer.Option(help="The folder that `archipel corpus build` made."),
    model: str = typer.Option(
        "nano",
        help="A size (nano, micro, small, base; to see: vision-nano, vision-micro), a config.json; "
        "to learn further: a checkpoint's folder, a .gguf, a pulled name.",
    ),
    tokens: str | None = typer.Option(
        None, help="Token budget, as in 500k, 80M, 2B (default: 20 per parameter)."
    ),
    batch: int = typer.Option(8, min=1, help="Sequences in an inner step of a site."),
    sequence: int | None = typer.Option(None, min=2, help="Tokens in a sequence."),
    sync: str = typer.Option(
        "auto",
        help="H, the inner steps between syncs of a fragment: a number, or `auto` for as few as "
        "the links and cores of the sites bear.",
    ),
    fragments: int = typer.Option(
        4, min=1, max=1024, help="Parts of the model that move one by one."
    ),
    lora: int | None = typer.Option(
        None, min=1, max=1024, help="Learn factors of this rank beside the model, not the whole."
    ),
    lora_alpha: float | None = typer.Option(None, min=0.1, help="Its scale (default: 2 × rank)."),
    optimiser: Optimiser | None = typer.Option(
        None,
        help="The inner optimiser: muon, which moves the hidden matrices with Muon, is usual for "
        "texts and to see, adamw to make pictures.",
    ),
    learning_rate: float | None = typer.Option(
        None,
        min=1e-9,
        help="Peak rate of the inner optimiser (default: 1 over the width; to learn "
        "further, a tenth of it, and by preferences a twentieth of that).",
    ),
    outer_learning_rate: float | None = typer.Option(
        None, min=1e-9, help="Rate of the outer Nesterov step (default: by codec and H)."
    ),
    outer_momentum: float | None = typer.Option(
        None, min=0.0, max=0.999, help="Momentum of the outer Nesterov step (default likewise)."
    ),
    codec: str = typer.Option(
        "int4", help="How pseudo-gradients travel: int4, sparse, int8 or none."
    ),
    seed: int = typer.Option(0, help="Seed of the initial parameters and the data's order."),
    heartbeat: float = typer.Option(2.0, min=0.1, help="Seconds between heartbeats."),
    keep_history: bool = typer.Option(False, help="Keep every snapshot, not only the last two."),
) -> None:
    """Make a run that sites can join.

    Example: archipel run create s3://models/first --corpus corpus --model nano --tokens 80M
    """
    from archipel import config
    from archipel.models.here import find_model
    from archipel.store import Store
    from archipel.train.create import RunOptions, create_run

    pulled = find_model(model, config.home())
    options = RunOptions(
        model=str(pulled.path) if pulled else model,
        tokens=token_count(tokens) if tokens else None,
        seed=seed,
        fragments=fragments,
        sync_steps=_steps(sync),
        optimiser=optimiser,
        batch_sequences=batch,
        sequence_tokens=sequence,
        learning_rate=learning_rate,
        outer_learning_rate=outer_learning_rate,
        outer_momentum=outer_momentum,
        codec=codec,
        heartbeat_seconds=heartbeat,
        dead_after_seconds=max(5.0, 5 * heartbeat),
        keep_history=keep_history,
        lora=_lora(lora, lora_alpha),
    )
    spec = create_run(Store(url), corpus, options).spec
    typer.echo(
        f"run at {url}: {spec.budget_tokens:,} tokens in {spec.units:,} units, {spec.fragments} "
        f"fragments, H = {spec.sync_steps or 'auto'}\n"
        f"on this machine: archipel site join {url} --name NAME\n"
        f"for a site elsewhere: archipel run invite {url} --name NAME"
    )


def _lora(rank: int | None, alpha: float | None) -> "Lora | None":
    from archipel.errors import ConfigError
    from archipel.tune.lora import Lora

    if rank is None:
        if alpha:
            raise ConfigError("--lora-alpha is of factors that are learnt: give --lora too")
        return None
    return Lora(rank, alpha or 2 * rank)


def _steps(sync: str) -> int | None:
    """H as a number, or None for `auto`."""
    from archipel.errors import ConfigError

    if sync == "auto":
        return None
    if not sync.isdecimal() or int(sync) < 1:
        raise ConfigError(f"--sync {sync!r} is neither a number of steps nor `auto`")
    return int(sync)
