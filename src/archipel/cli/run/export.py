"""`archipel run export`: a run's model as files."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from archipel import config
from archipel.cli.arguments import RUN_URL

if TYPE_CHECKING:
    from archipel.train.export import Exported


def export(
    url: str = RUN_URL,
    folder: Path = typer.Argument(help="The folder to write; it must not exist."),
    gguf: str | None = typer.Option(
        None, help="Also a GGUF of this kind: f16, q8_0, q4_k_m and others."
    ),
    name: str | None = typer.Option(None, help="The model's name (default: the folder's)."),
    adapter: bool = typer.Option(
        False, help="Of a run with --lora: the adapter alone, to be served beside its base."
    ),
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

    from archipel.errors import ConfigError
    from archipel.ledger import Ledger
    from archipel.models.folders import complete_folder
    from archipel.store import Store
    from archipel.train.export import export_adapter, export_run

    if adapter and (gguf or gate):
        raise ConfigError("--adapter writes no whole model: leave --gguf and --gate out")
    ledger = Ledger.open(Store(url))
    called = name or folder.resolve().name
    if adapter:
        _tell(export_adapter(ledger, folder, name=called), folder)
        return
    with complete_folder(folder) if gate else nullcontext(folder) as place:
        done = export_run(ledger, place, name=called, gguf=gguf)
        if gate:
            from archipel.cli.evaluate.gating import reach

            reach(gate, place, called, tolerance, data or config.data_folder())
    _tell(done, folder)


def _tell(done: "Exported", folder: Path) -> None:
    loss = "not measured" if done.held_out_loss is None else f"{done.held_out_loss:.4f} {done.unit}"
    typer.echo(f"{folder}: {done.tokens:,} tokens trained, held-out loss {loss}")
    if done.gguf:
        written = folder / done.gguf.name
        typer.echo(f"{written}: {written.stat().st_size / 1e6:.1f} MB")
