"""`archipel run export`: a run's model as files."""

from pathlib import Path

import typer

from archipel import config
from archipel.cli.arguments import RUN_URL


def export(
    url: str = RUN_URL,
    folder: Path = typer.Argument(help="The folder to write; it must not exist."),
    gguf: str | None = typer.Option(
        None, help="Also a GGUF of this kind: f16, q8_0, q4_k_m and others."
    ),
    name: str | None = typer.Option(None, help="The model's name (default: the folder's)."),
    gate: Path | None = typer.Option(
        None, help="Figures (`archipel eval --json`) that must be reached, or nothing is written."
    ),
    tolerance: float = typer.Option(
        0.01, min=0, max=1, help="By how much of a figure the gate lets it be worse."
    ),
    data: Path | None = typer.Option(None, help="Folder with the gate's data [ARCHIPEL_DATA]."),
) -> None:
    """Write a run's model as a Hugging Face checkpoint, and as GGUF if asked.

    Example: archipel run export s3://models/first ./first --gguf q8_0
    """
    from contextlib import nullcontext

    from archipel.ledger import Ledger
    from archipel.models.folders import complete_folder
    from archipel.store import Store
    from archipel.train.export import export_run

    ledger = Ledger.open(Store(url))
    called = name or folder.resolve().name
    with complete_folder(folder) if gate else nullcontext(folder) as place:
        done = export_run(ledger, place, name=called, gguf=gguf)
        if gate:
            from archipel.cli.evaluate.gating import reach

            reach(gate, place, called, tolerance, data or config.data_folder())
    loss = "not measured" if done.held_out_loss is None else f"{done.held_out_loss:.4f} {done.unit}"
    typer.echo(f"{folder}: {done.tokens:,} tokens trained, held-out loss {loss}")
    if done.gguf:
        written = folder / done.gguf.name
        typer.echo(f"{written}: {written.stat().st_size / 1e6:.1f} MB")
