"""The options of `archipel eval`, and what is done with them."""

from pathlib import Path

import typer

from archipel import config


def evaluate(
    model: str | None = typer.Argument(
        None, help="A checkpoint's folder, a .gguf file, a pulled name; with --url, its name there."
    ),
    tasks: str = typer.Option("", help="Tasks with commas between them; --list shows which."),
    data: Path | None = typer.Option(None, help="Folder with their files [ARCHIPEL_DATA]."),
    limit: int | None = typer.Option(None, min=1, help="So many questions of each, by lot."),
    url: str | None = typer.Option(None, help="An OpenAI-compatible service that has the model."),
    parallel: int = typer.Option(2, min=1, max=256, help="Questions at a time to an API."),
    system: str | None = typer.Option(None, help="System message instead of the tasks' own."),
    field: str = typer.Option("text", help="The field with the text, in .jsonl and .parquet."),
    results: Path | None = typer.Option(None, help="Folder for the answers, to go on with."),
    against: str | None = typer.Option(
        None, help="Another model of this disk, or the results folder of one, to compare with."
    ),
    json_file: Path | None = typer.Option(None, "--json", help="Write the figures here."),
    gate: Path | None = typer.Option(
        None, help="Figures (--json) that must be reached again; they name the tasks, too."
    ),
    tolerance: float = typer.Option(
        0.01, min=0, max=1, help="By how much of a figure the gate lets it be worse."
    ),
    list_: bool = typer.Option(False, "--list", help="Show the tasks."),
) -> None:
    """Measure a model: a table with 95 % intervals. Stopped, the same command goes on.

    Example: archipel eval ./first --tasks blimp,arc_easy --data data --limit 500 --json first.json
    """
    from archipel.cli.evaluate.gating import pass_gate
    from archipel.cli.evaluate.measuring import Wish, measured, wish_of
    from archipel.cli.evaluate.screen import show_figures, show_tasks
    from archipel.cli.evaluate.subjects import Named
    from archipel.evaluate.data import Data
    from archipel.files import read_json, write_json

    if list_:
        show_tasks()
        return
    if model is None or not (tasks or gate):
        raise typer.BadParameter("give a model and --tasks, or --list to see which there are")
    before = read_json(gate) if gate else None  # a wrong path is told now
    wish = Wish(tuple(tasks.split(",")), limit, field, system) if tasks else wish_of(before)
    named = [Named(model, url, parallel, results)]
    named += [Named(against, None, parallel, None)] if against else []
    try:
        found = measured(wish, Data(data or config.data_folder()), named)
    except KeyboardInterrupt:
        typer.echo("Stopped. The same command goes on where it was.", err=True)
        raise typer.Exit(130) from None
    show_figures(found)
    if json_file:
        write_json(json_file, found)
    if before is not None:
        pass_gate(found, before, tolerance)
