"""Which models `archipel up` serves when none is named: what fits, shown, asked for and fetched."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from archipel import config
from archipel.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from archipel.models.offered import Offered


def choose_models(*, yes: bool) -> list[str]:
    """Models that are here in the end, and measured, as `NAME=PATH`; with `yes` nobody is asked.

    Raises:
        ConfigError: nothing fits into memory, or nobody is there to be asked.
        ModelError, IntegrityError: one can't be fetched, run or measured.
    """
    from rich.console import Console

    from archipel.cli.model_table import find_offered, model_table
    from archipel.models.offered import propose

    models, free_bytes = find_offered(), config.free_memory_bytes()
    proposed = propose(models, free_bytes)
    names = [one.name for one in proposed]
    if not yes and not sys.stdin.isatty():
        raise ConfigError(_unasked(proposed))
    console = Console(stderr=True)
    console.print(model_table(models, free_bytes, names))
    if not proposed:
        raise ConfigError(_too_little(models, free_bytes))
    known = {one.name: one for one in models}
    if not yes:
        names = _asked(known, names, free_bytes)
    return [_bring(known[name], console) for name in names]


def _bring(model: "Offered", console: "Console") -> str:
    from archipel.cli.pull import fetch_model
    from archipel.cli.speed import measure_speed
    from archipel.models.here import find_model

    here = find_model(model.name, config.home()) or fetch_model(model.name)
    if model.tokens_per_second is None:
        with console.status(f"measuring {model.name}"):
            speed = measure_speed(here)
        console.print(f"{model.name} writes {speed.tokens_per_second:,.0f} tokens/s here")
    return f"{here.name}={here.path}"


def _asked(known: "Mapping[str, Offered]", names: Sequence[str], free_bytes: int) -> list[str]:
    """Until all that the person says is known and fits."""
    while True:
        words = typer.prompt("Serve which, with spaces between", default=" ".join(names), err=True)
        chosen = list(dict.fromkeys(words.split()))
        unknown = [name for name in chosen if name not in known]
        need = sum(known[name].memory_bytes for name in chosen if name in known)
        if unknown:
            typer.echo(f"there is no {unknown[0]!r}: give names of the table", err=True)
        elif need > free_bytes:
            typer.echo(f"that takes about {need / 1e9:,.1f} GB of memory: choose less", err=True)
        else:
            return chosen


def _unasked(proposed: "Sequence[Offered]") -> str:
    told = ", ".join(f"{one.name}, {one.size_bytes / 1e6:,.0f} MB" for one in proposed)
    takes = f"`archipel up --yes` takes what fits here ({told})" if told else "nothing fits here"
    return (
        f"no model is named, and without a terminal nobody can be asked: {takes}, `archipel up "
        "NAME` another of `archipel pull --list`, and --service-url a service that runs"
    )


def _too_little(models: "Sequence[Offered]", free_bytes: int) -> str:
    least = min(models, key=lambda one: one.memory_bytes)
    return (
        f"no model fits: {least.name}, the smallest, takes {least.memory_bytes / 1e9:,.1f} GB of "
        f"memory, and {free_bytes / 1e9:,.1f} GB are free. End other programs, or use a service "
        "elsewhere with --service-url"
    )
