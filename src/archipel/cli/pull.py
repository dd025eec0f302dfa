"""`archipel pull`: bring a model to this machine, or list those that can be had by name."""

import typer

from archipel import config


def pull(
    name: str | None = typer.Argument(
        None,
        help="A name of the catalogue, hf:ORG/REPO[/FILE], https://…/FILE.gguf#sha256=DIGEST, "
        "or a path.",
        show_default=False,
    ),
    list_: bool = typer.Option(False, "--list", help="Show the models that have a name."),
) -> None:
    """Fetch a model, check it and keep it under its name."""
    if list_:
        _show_catalogue()
    elif name is None:
        raise typer.BadParameter("give a model's name, or --list to see which there are")
    else:
        _pull(name)


def _pull(name: str) -> None:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from archipel.models.pull import list_models, pull

    home = config.home()
    before = list_models(home)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"Fetching {name}", total=None)
        model = pull(
            name,
            home=home,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    verb = "is here already" if model in before else "is here"
    typer.echo(f"{model.name} {verb}: {model.path}")
    typer.echo(f"licence {model.licence or 'unknown'}, from {model.source}")


def _show_catalogue() -> None:
    from rich.console import Console
    from rich.filesize import decimal
    from rich.table import Table

    from archipel.models.catalogue import CATALOGUE
    from archipel.models.pull import list_models

    here = {model.name: model for model in list_models(config.home())}
    table = Table("name", "size", "licence", "source", "pulled")
    for entry in CATALOGUE.values():
        pulled = "yes" if entry.name in here else "no"
        table.add_row(entry.name, decimal(entry.size_bytes), entry.licence, entry.source, pulled)
    for model in here.values():
        if model.name not in CATALOGUE:
            licence = model.licence or "unknown"
            table.add_row(model.name, decimal(model.bytes), licence, model.source, "yes")
    Console().print(table)
