"""`archipel pull`: bring a model to this machine, or list those that can be had by name."""

from typing import TYPE_CHECKING

import typer

from archipel import config

if TYPE_CHECKING:
    from archipel.models.here import PulledModel


def pull(
    name: str | None = typer.Argument(
        None,
        help="A name of the catalogue, hf:ORG/REPO[/FILE], https://…/FILE.gguf#sha256=DIGEST, "
        "or a path.",
        show_default=False,
    ),
    list_: bool = typer.Option(False, "--list", help="Show the models that have a name."),
    measure: bool = typer.Option(
        False, "--measure", help="Also measure how fast it answers here, again if need be."
    ),
) -> None:
    """Fetch a model, check it and keep it under its name.

    Example: archipel pull smollm2-135m --measure
    """
    if list_:
        _show_catalogue()
    elif name is None:
        raise typer.BadParameter("give a model's name, or --list to see which there are")
    else:
        model = fetch_model(name)
        if measure:
            from archipel.cli.speed import measure_speed

            speed = measure_speed(model)
            memory = f"{speed.memory_bytes / 1e9:.1f} GB of memory"
            typer.echo(f"writes {speed.tokens_per_second:,.0f} tokens/s here, in {memory}")


def fetch_model(name: str) -> "PulledModel":
    """Bring a model here, with a bar of its progress, and say what it is.

    Raises:
        ModelError, IntegrityError, ConfigError: as `pull` in models.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from archipel.models.here import list_models
    from archipel.models.own_catalogue import read_catalogue
    from archipel.models.pull import pull

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
            catalogue=read_catalogue(config.catalogue_file()),
        )
    verb = "is here already" if model in before else "is here"
    typer.echo(f"{model.name} {verb}: {model.path}")
    typer.echo(f"licence {model.licence or 'unknown'}, from {model.source}")
    return model


def _show_catalogue() -> None:
    from rich.console import Console

    from archipel.cli.model_table import find_offered, model_table

    Console().print(model_table(find_offered(), config.free_memory_bytes()))
