"""`archipel export`: a checkpoint as the file that a device takes, with the proof that it holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from archipel import config

if TYPE_CHECKING:
    from rich.table import Table

    from archipel.cli.export.proof import Measured, Proof


def export(
    model: str = typer.Argument(help="A checkpoint's folder, or a pulled one's name."),
    device: str = typer.Option(..., "--for", help="laptop (Q8_0), phone (Q4_K_M) or server (F16)."),
    out: Path = typer.Option(..., "--out", "-o", help="The folder to write; it must not exist."),
    text: Path | None = typer.Option(
        None,
        help="Measure on this text, or on the answers of a .jsonl of messages.  "
        "[default: what the model writes by itself]",
    ),
    at_most: str | None = typer.Option(
        None, help="By how much the loss may rise, as 0.5%.  [default: 0.5%; phone 3%]"
    ),
    tokens: int = typer.Option(2048, min=64, max=1 << 20, help="How much text to measure on."),
    name: str | None = typer.Option(None, help="The file's name (default: the checkpoint's)."),
    json_file: Path | None = typer.Option(None, "--json", help="Write the figures here."),
) -> None:
    """Write a checkpoint as GGUF for a device; refuse one that has lost more than it may.

    Example: archipel export --for laptop ./first -o first-laptop --text held-out.txt
    """
    import asyncio

    from rich.console import Console

    from archipel.cli.export.devices import find_device, read_percent, refusal
    from archipel.cli.export.proof import prove
    from archipel.cli.export.text import read_source
    from archipel.errors import ConfigError, ModelError
    from archipel.files import write_json
    from archipel.models.folders import complete_folder
    from archipel.models.licence import carry_card, carry_licence

    wanted = find_device(device)
    most = wanted.most_percent if at_most is None else read_percent(at_most)
    checkpoint = _checkpoint(model)
    file = f"{name or checkpoint.resolve().name}-{wanted.kind}.gguf"
    if Path(file).name != file:
        raise ConfigError(f"--name {name!r} is no file's name: leave the folders to --out")
    with complete_folder(out) as folder:
        with Console(stderr=True).status("reading the checkpoint") as status:
            source = read_source(text, checkpoint) if text else None
            proof = asyncio.run(
                prove(checkpoint, folder / file, wanted.kind, source, tokens, status.update)
            )
        rise = proof.chosen.rise
        refused = refusal(device, rise.percent, rise.error, most)
        Console(highlight=False).print(_table(proof), _remarks(proof, text), sep="\n")
        if json_file:
            facts = {"device": device, "text": text and str(text), "at_most_percent": most}
            write_json(json_file, {**facts, "accepted": not refused, **_figures(proof)})
        if refused:
            raise ModelError(refused)
        carry_card(checkpoint, folder)
        carry_licence(checkpoint, folder)
    typer.echo(out / file)


def _checkpoint(model: str) -> Path:
    """The folder with the checkpoint.

    Raises:
        ModelError: it is unknown, or a GGUF already.
    """
    from archipel.errors import ModelError
    from archipel.models.here import resolve_model

    path = resolve_model(model, config.home())
    if path.is_file():
        raise ModelError(f"{path} is a GGUF already: give the checkpoint that it was made from")
    return path


def _table(proof: "Proof") -> "Table":
    from rich.table import Table

    table = Table("", "size", "memory", "reads", "writes", "loss", "rise")
    for column in table.columns[1:]:
        column.justify = "right"
    checkpoint = f"{proof.checkpoint_bytes / 1e6:,.1f} MB"
    table.add_row("checkpoint", checkpoint, "", "", "", f"{proof.chosen.rise.before:.4f}", "")
    for one in {one.kind: one for one in (proof.plain, proof.chosen)}.values():
        table.add_row(
            one.kind,
            f"{one.figures.bytes / 1e6:,.1f} MB",
            f"{one.figures.memory_bytes / 1e6:,.0f} MB",
            f"{one.figures.speed.reads:,.0f}/s",
            f"{one.figures.speed.writes:,.0f}/s",
            f"{one.rise.after:.4f}",
            f"{one.rise.percent:+.2f} % ± {one.rise.error:.2f}",
        )
    return table


def _remarks(proof: "Proof", text: Path | None) -> str:
    what = str(text) if text else "text that the model wrote by itself"
    types = ", ".join(f"{count} {name}" for name, count in proof.chosen.tensors.items())
    return (
        f"tokens a second; loss in nats over {proof.chosen.rise.tokens:,} tokens of {what}\n"
        f"memory with room for 4 conversations of {proof.context:,} tokens; tensors: {types}"
    )


def _figures(proof: "Proof") -> dict[str, Any]:
    return {
        "kind": proof.chosen.kind,
        "checkpoint_bytes": proof.checkpoint_bytes,
        "checkpoint_loss": proof.chosen.rise.before,
        "context_tokens": proof.context,
        "kinds": {one.kind: _figures_of(one) for one in (proof.plain, proof.chosen)},
    }


def _figures_of(one: "Measured") -> dict[str, Any]:
    return {
        "bytes": one.figures.bytes,
        "memory_bytes": one.figures.memory_bytes,
        "reads_tokens_per_second": one.figures.speed.reads,
        "writes_tokens_per_second": one.figures.speed.writes,
        "loss": one.rise.after,
        "rise_percent": one.rise.percent,
        "rise_error_percent": one.rise.error,
        "tokens": one.rise.tokens,
        "tensors": one.tensors,
    }
