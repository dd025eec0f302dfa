"""`archipel corpus repairs`: functions broken by single mistakes, to learn repairing from."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.progress import TaskID

    from archipel.corpus.repairs import Case, RepairOptions, Repairs

_Show = Callable[[str, int, int], None]


def repairs(
    inputs: list[Path] = typer.Argument(
        [], help="Python files, and folders of them (default: Python's standard library)."
    ),
    out: Path = typer.Option(..., "--out", "-o", help="Folder for what is made."),
    per_function: int = typer.Option(8, min=1, help="Most pairs of one function."),
    held_out: float = typer.Option(0.1, help="Fraction of the modules kept for measuring."),
    most_lines: int = typer.Option(30, min=1, help="Longer functions are passed over."),
    most_characters: int = typer.Option(1200, min=1, help="The same by their characters."),
    seed: int = typer.Option(0, help="Decides which mistakes are made, and the calls."),
) -> None:
    """Break functions by single mistakes: pairs to learn from, and cases to judge repairs by.

    Example: archipel corpus repairs -o repairs
    """
    import sysconfig

    from archipel.corpus.repairs import RepairOptions, make_repairs, write_repairs

    options = RepairOptions(per_function, held_out, seed, most_lines, most_characters)
    with _bars() as show:
        made = make_repairs(inputs or [Path(sysconfig.get_path("stdlib"))], options, show)
        cases = _cases(made, options, show)
        facts = write_repairs(out, made, cases, options)
    typer.echo(_summary(out, facts))


def _cases(made: "Repairs", options: "RepairOptions", show: _Show) -> "list[Case]":
    """None where programs can't be run: the pairs are worth having without them."""
    import asyncio

    from archipel.corpus.repairs import judged_cases
    from archipel.errors import SandboxError

    try:
        return asyncio.run(judged_cases(made.held_out.pairs, options.seed, show))
    except SandboxError as error:
        typer.echo(f"no cases to judge repairs by: {error}", err=True)
        return []


@contextmanager
def _bars() -> Iterator[_Show]:
    """A bar for each piece of work; nothing where there is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        bars: dict[str, TaskID] = {}

        def show(what: str, done: int, count: int) -> None:
            if what not in bars:
                bars[what] = bar.add_task(what, total=count)
            bar.update(bars[what], completed=done)

        yield show


def _summary(out: Path, facts: Mapping[str, Any]) -> str:
    train, held_out, judged = (facts[name] for name in ("train", "held_out", "judged"))
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in train["kinds"].items())
    left_out = f"left out: {facts['duplicates']:,} functions met before"
    if unparsed := facts["unparsed"]:
        path, reason = next(iter(unparsed.items()))
        left_out += f"; {len(unparsed):,} files that are no Python (the first: {path}, {reason})"
    return (
        f"{out}: {train['pairs']:,} pairs of {train['functions']:,} functions in "
        f"{train['modules']:,} modules to learn from ({kinds})\n"
        f"held out: {held_out['pairs']:,} pairs of {held_out['functions']:,} functions in "
        f"{held_out['modules']:,} modules; {judged['cases']:,} of them, of {judged['functions']:,} "
        f"functions, are judged by running\n{left_out}"
    )
