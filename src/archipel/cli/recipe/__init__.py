"""`archipel recipe`: one command from raw data to a served model, with its figures."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from archipel.cli.recipe.kitchen import Kitchen
    from archipel.cli.recipe.table import FineTuned, FromScratch, Pictured, Sighted


def recipe(
    name: str | None = typer.Argument(None, help="Which; without one they are shown."),
    data: Path | None = typer.Option(
        None,
        help="Folder with its files [ARCHIPEL_DATA]; of code-repair, with Python (default: its "
        "standard library).",
    ),
    out: Path | None = typer.Option(None, "--out", "-o", help="Folder for all that is made."),
    sites: int | None = typer.Option(
        None, min=1, max=16, help="Train at so many sites on this machine (default: the recipe's)."
    ),
    quick: bool = typer.Option(
        False, "--quick", help="Of pictures: fewer things and less training, some minutes in all."
    ),
    beside: Path | None = typer.Option(
        None, help="The results.json of the same recipe on one site, to compare with."
    ),
) -> None:
    """Make a small model for one job. Stopped or killed, the same command goes on.

    Example: archipel recipe translator-fr-en --data ../data -o translator
    """
    from archipel.cli.recipe.table import RECIPES, FromScratch, OfPictures
    from archipel.errors import ConfigError

    if name is None:
        for known, one in RECIPES.items():
            typer.echo(f"{known}: {one.about}")
        return
    if name not in RECIPES:
        raise ConfigError(f"unknown recipe {name!r}: take one of {', '.join(RECIPES)}")
    chosen = RECIPES[name]
    folder = data or _usual_data(chosen)
    if out is None or folder is None:
        raise ConfigError("give --data, where the recipe's files lie, and -o, a folder to fill")
    if quick:
        if not isinstance(chosen, OfPictures):
            raise ConfigError(f"{name} can't be made more quickly: leave --quick out")
        chosen = chosen.quick()
    if (sites or beside) and not isinstance(chosen, FromScratch | OfPictures):
        raise ConfigError(f"{name} is made on one machine: leave --sites and --beside out")

    try:
        _make(name, chosen, folder, out, sites, beside)
    except KeyboardInterrupt:
        typer.echo("Stopped. The same command goes on where it was.", err=True)
        raise typer.Exit(130) from None


def _make(
    name: str,
    recipe: "FromScratch | FineTuned | Pictured | Sighted",
    data: Path,
    out: Path,
    sites: int | None,
    beside: Path | None,
) -> None:
    from rich.console import Console

    from archipel.cli.recipe.fine_tuned import Tuning
    from archipel.cli.recipe.finish import finish
    from archipel.cli.recipe.from_scratch import Scratch
    from archipel.cli.recipe.gallery import Gallery
    from archipel.cli.recipe.studio import Studio
    from archipel.cli.recipe.table import FineTuned, Pictured, Sighted
    from archipel.cli.recipe.viewing import Viewing

    console = Console(highlight=False)
    names = tuple(f"site-{number}" for number in range(1, (sites or 0) + 1))
    made: Gallery | Kitchen
    if isinstance(recipe, FineTuned):
        made = Tuning(name=name, recipe=recipe, data=data, out=out, console=console)
    else:
        sited = {"sites": names or recipe.sites}
        if isinstance(recipe, Pictured):
            made = Studio(name=name, recipe=recipe, data=data, out=out, console=console, **sited)
        elif isinstance(recipe, Sighted):
            made = Viewing(name=name, recipe=recipe, data=data, out=out, console=console, **sited)
        else:
            made = Scratch(name=name, recipe=recipe, data=data, out=out, console=console, **sited)
    made.cook()
    if isinstance(made, Gallery):
        made.finish(beside)
    else:
        finish(made, beside)


def _usual_data(recipe: "FromScratch | FineTuned | Pictured | Sighted") -> Path | None:
    import sysconfig

    from archipel import config
    from archipel.cli.recipe.table import FromScratch
    from archipel.corpus.repairs import RepairOptions

    if isinstance(recipe, FromScratch) and isinstance(recipe.makes, RepairOptions):
        return Path(sysconfig.get_path("stdlib"))
    return config.data_folder()
