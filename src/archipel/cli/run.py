"""`archipel run`: create, watch, audit and export runs."""

from pathlib import Path

import typer

app = typer.Typer(help="Create, watch, audit and export runs.", no_args_is_help=True)

URL = typer.Argument(help="The run: s3://…, az://…, gs://…, file:///… or a folder.")


@app.command()
def create(
    url: str = URL,
    corpus: Path = typer.Option(help="The folder that `archipel corpus build` made."),
    model: str = typer.Option(
        "nano", help="A size (nano, micro, small, base), a config.json or a checkpoint's folder."
    ),
    tokens: str | None = typer.Option(
        None, help="Token budget, as in 500k, 80M, 2B (default: 20 per parameter)."
    ),
    batch: int = typer.Option(8, min=1, help="Sequences in an inner step of a site."),
    sequence: int | None = typer.Option(None, min=2, help="Tokens in a sequence."),
    sync_steps: int = typer.Option(32, min=1, help="H: inner steps between syncs of a fragment."),
    fragments: int = typer.Option(4, min=1, help="Parts of the model that move one by one."),
    learning_rate: float = typer.Option(1e-3, help="Peak rate of the inner AdamW."),
    outer_learning_rate: float = typer.Option(0.7, help="Rate of the outer Nesterov step."),
    outer_momentum: float = typer.Option(0.5, help="Momentum of the outer Nesterov step."),
    codec: str = typer.Option("int8", help="How pseudo-gradients travel: int8 or float32."),
    seed: int = typer.Option(0, help="Seed of the initial parameters and the data's order."),
    heartbeat: float = typer.Option(2.0, min=0.1, help="Seconds between heartbeats."),
    keep_history: bool = typer.Option(False, help="Keep every snapshot, not only the last two."),
) -> None:
    """Make a run that sites can join.

    Example: archipel run create s3://models/first --corpus corpus --model nano --tokens 80M
    """
    from archipel.store import Store
    from archipel.train.create import RunOptions, create_run

    options = RunOptions(
        model=model,
        tokens=_count(tokens),
        seed=seed,
        fragments=fragments,
        sync_steps=sync_steps,
        batch_sequences=batch,
        sequence_tokens=sequence,
        learning_rate=learning_rate,
        outer_learning_rate=outer_learning_rate,
        outer_momentum=outer_momentum,
        codec=codec,
        heartbeat_seconds=heartbeat,
        dead_after_seconds=max(5.0, 5 * heartbeat),
        keep_history=keep_history,
    )
    spec = create_run(Store(url), corpus, options).spec
    typer.echo(
        f"run at {url}: {spec.budget_tokens:,} tokens in {spec.units:,} units, {spec.fragments} "
        f"fragments, H = {spec.sync_steps}\nnow, at each site: archipel site join {url} --name NAME"
    )


@app.command()
def watch(
    url: str = URL,
    once: bool = typer.Option(False, "--once", help="Print the state once and end."),
) -> None:
    """Show a run's sites, speed, loss, rounds and bytes as it goes.

    Example: archipel run watch s3://models/first
    """
    import time
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.live import Live

    from archipel.cli.run_screen import run_screen
    from archipel.ledger import Ledger
    from archipel.ledger.view import look
    from archipel.store import Store

    ledger = Ledger.open(Store(url))
    console = Console()
    if once:
        console.print(run_screen(look(ledger, datetime.now(UTC)), url))
        return
    with Live(console=console, auto_refresh=False) as live:
        try:
            while True:
                live.update(run_screen(look(ledger, datetime.now(UTC)), url), refresh=True)
                time.sleep(ledger.spec.heartbeat_seconds)
        except KeyboardInterrupt:
            return


@app.command()
def audit(
    url: str = URL,
    as_json: bool = typer.Option(False, "--json", help="Print the figures as JSON."),
) -> None:
    """Prove from the ledger what was trained: every token's fate, every commit.

    Exits with 1 where tokens were trained twice or skipped. Example: archipel run audit ./run
    """
    import json
    from dataclasses import asdict

    from archipel.ledger import Ledger
    from archipel.ledger.audit import audit as audit_run
    from archipel.ledger.audit import read_commits
    from archipel.store import Store

    ledger = Ledger.open(Store(url))
    manifests = [ledger.snapshot(number) for number in ledger.snapshot_numbers()[-1:]]
    finished = any(manifest is not None and manifest.final for manifest in manifests)
    found = audit_run(ledger.spec, read_commits(ledger), finished=finished)
    figures = {"finished": finished, "budget_tokens": ledger.spec.budget_tokens, **asdict(found)}
    if as_json:
        typer.echo(json.dumps(figures, indent=2))
    else:
        for key, value in figures.items():
            typer.echo(f"{key.replace('_', ' '):>18}  {value}")
    if found.duplicate_tokens or found.skipped_tokens:
        raise typer.Exit(1)


@app.command()
def export(
    url: str = URL,
    folder: Path = typer.Argument(help="The folder to write; it must not exist."),
    gguf: str | None = typer.Option(
        None, help="Also a GGUF of this kind: f16, q8_0, q4_k_m and others."
    ),
    name: str | None = typer.Option(None, help="The model's name (default: the folder's)."),
) -> None:
    """Write a run's model as a Hugging Face checkpoint, and as GGUF if asked.

    Example: archipel run export s3://models/first ./first --gguf q8_0
    """
    from archipel.ledger import Ledger
    from archipel.store import Store
    from archipel.train.export import export_run

    done = export_run(
        Ledger.open(Store(url)), folder, name=name or folder.resolve().name, gguf=gguf
    )
    loss = "not measured" if done.held_out_loss is None else f"{done.held_out_loss:.4f} nats/token"
    typer.echo(f"{done.folder}: {done.tokens:,} tokens trained, held-out loss {loss}")
    if done.gguf:
        typer.echo(f"{done.gguf}: {done.gguf.stat().st_size / 1e6:.1f} MB")


def _count(text: str | None) -> int | None:
    """A number with an optional k, M or B behind it."""
    from archipel.errors import ConfigError

    if text is None:
        return None
    scale = {"k": 10**3, "m": 10**6, "b": 10**9}.get(text[-1:].lower(), 1)
    digits = text if scale == 1 else text[:-1]
    try:
        count = int(float(digits.replace("_", "")) * scale)
    except ValueError:
        count = 0
    if count < 1:
        raise ConfigError(f"{text!r} is not a number of tokens: write it as 500k, 80M or 2B")
    return count
