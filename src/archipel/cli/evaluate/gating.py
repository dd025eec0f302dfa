"""A gate: figures that a model must reach again."""

from pathlib import Path
from typing import Any

import typer

from archipel.cli.evaluate.measuring import measured, wish_of
from archipel.cli.evaluate.screen import show_figures
from archipel.cli.evaluate.subjects import Named
from archipel.evaluate.data import Data
from archipel.evaluate.report import regressions
from archipel.files import read_json


def reach(gate: Path, model: Path, name: str, tolerance: float, data: Path | None) -> None:
    """Measure a checkpoint as the gate's model was measured, and exit with 1 where it is worse;
    `name` is what it is called.

    Raises:
        ConfigError: the gate can't be read, or its data is missing.
    """
    before = read_json(gate)
    found = measured(wish_of(before), Data(data), [Named(str(model), None, 1, None, name)])
    show_figures(found)
    pass_gate(found, before, tolerance)


def pass_gate(found: dict[str, Any], before: object, tolerance: float) -> None:
    """Say so, or exit with 1 where a figure is worse than before by more than the tolerance.

    Raises:
        ConfigError: `before` is not of the same tasks and questions.
    """
    if worse := regressions(found, before, tolerance):
        typer.secho("\n".join(worse), fg="red", err=True)
        raise typer.Exit(1)
    typer.echo("the gate is passed")
