"""The models that this machine can have, as a table in the terminal."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from archipel import config

# By their heads; those that may be folded with the width that they keep.
_COLUMNS = {"model": 12, "size": None, "licence": 7, "languages": 9, "tasks": 9}
_COLUMNS |= dict.fromkeys(("memory", "fits", "here", "speed"))

if TYPE_CHECKING:
    from rich.table import Table

    from archipel.models.offered import Offered


def find_offered() -> "list[Offered]":
    """The catalogue's models and this machine's own, of texts.

    Raises:
        ConfigError: the organisation's catalogue can't be read.
        IntegrityError: what is kept of a model was altered.
    """
    from archipel.cli.provenance import machine
    from archipel.models.here import list_models
    from archipel.models.offered import offered
    from archipel.models.own_catalogue import read_catalogue
    from archipel.models.sizes import makes_pictures
    from archipel.models.speeds import known_speed

    home, here = config.home(), machine()
    texts = [one for one in list_models(home) if not makes_pictures(one.path)]
    return offered(
        read_catalogue(config.catalogue_file()),
        texts,
        lambda model: known_speed(model.path, here, home),
    )


def model_table(
    models: "Sequence[Offered]", free_bytes: int, proposed: Collection[str] = ()
) -> "Table":
    """One row a model; the `proposed` names are bold. The speed is in tokens of an answer."""
    from rich.table import Table
    from rich.text import Text

    title = f"{free_bytes / 1e9:,.1f} GB of memory are free"
    table = Table(title=title, title_style="dim", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for head, least in _COLUMNS.items():
        table.add_column(head, no_wrap=least is None, min_width=least, overflow="fold")
    for model in models:
        purpose, speed = model.purpose, model.tokens_per_second
        cells = (
            model.name,
            f"{max(1, round(model.size_bytes / 1e6)):,} MB",
            model.licence or "?",
            ", ".join(purpose.languages or ()) or "?",
            ", ".join(purpose.tasks or ()) or "?",
            f"{model.memory_bytes / 1e9:,.1f} GB",
            "yes" if model.fits(free_bytes) else "no",
            "yes" if model.is_here else "no",
            f"{speed:,.0f}/s" if speed else "",
        )
        style = "bold" if model.name in proposed else None
        table.add_row(*map(Text, cells), style=style)  # names are text, never markup
    return table
