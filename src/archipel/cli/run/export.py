"""`archipel run export`: a run's model as files."""

from pathlib import Path

import typer

from archipel.cli.arguments import RUN_URL


def export(
    url: str = RUN_URL,
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
