"""`archipel recipe`: one command from raw data to a served model, with its figures."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    run: str | None = typer.Option(
        None,
        metavar="URL",
        help="Make the run there, s3://… say, for sites that join it from anywhere; with --sites, "
        "for some of this machine too.",
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
    Over one's own sites: … -o translator --run s3://models/translator
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
    trained = isinstance(chosen, FromScratch | OfPictures)
    if (sites or run or beside) and not trained:
        raise ConfigError(f"{name} is made on one machine: leave --sites, --run and --beside out")
    if run and "://" not in run:
        run = str(Path(run).expanduser().resolve())

    try:
        _make(name, chosen, folder, out, _Where(sites, run), beside)
    except KeyboardInterrupt:
        typer.echo("Stopped. The same command goes on where it was.", err=True)
        raise typer.Exit(130) from None


@dataclass(frozen=True)
class _Where:
    """It is trained: at so many sites of this machine, and where the run is, if that was said."""

    sites: int | None
    run: str | None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"site-{number}" for number in range(1, (self.sites or 0) + 1))


def _make(
    name: str,
    recipe: "FromScratch | FineTuned | Pictured | Sighted",
    data: Path,
    out: Path,
    where: "_Where",
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
    made: Gallery | Kitchen
    if isinstance(recipe, FineTuned):
        made = Tuning(name=name, recipe=recipe, data=data, out=out, console=console)
    else:
        usual = () if where.run else recipe.sites
        sited: dict[str, Any] = {"sites": where.names or usual, "run": where.run}
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
