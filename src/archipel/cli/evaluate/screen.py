"""Progress, figures and tasks in the terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from archipel.evaluate.tasks import TASKS


@contextmanager
def progress(model: str, folder: Path) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each task, with the time left, where there is a terminal; and where answers go."""
    console = Console(stderr=True)
    console.print(f"answers are kept in {folder}", soft_wrap=True, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        bars: dict[str, Any] = {}

        def show(task: str, done: int, count: int) -> None:
            if task not in bars:  # what was kept does not count as quick
                bars[task] = bar.add_task(f"{model} {task}", total=count, completed=done)
            bar.update(bars[task], completed=done)

        yield show


def show_figures(found: dict[str, Any]) -> None:
    """A row for each figure; beside another model's, if there is one, and how far it is above."""
    other = found.get("against")
    table = Table("task", "figure", found["model"], "95 %")
    if other:
        for title in (other["model"], "difference", "95 %"):
            table.add_column(title)
    table.add_column("questions", justify="right")
    for task, facts in found["tasks"].items():
        for name, figure in facts["figures"].items():
            sign = "" if figure["higher_is_better"] else " (less is better)"
            row = [task, name + sign, _number(figure["value"]), _interval(figure)]
            if other:
                gap = other["differences"][task][name]
                theirs = other["tasks"][task]["figures"][name]["value"]
                row += [_number(theirs), f"{gap['value']:+.4g}", _interval(gap)]
            table.add_row(*row, _count(facts, figure))
    Console().print(table)


def show_tasks() -> None:
    """The tasks, and what each reads."""
    table = Table("task", "what", "reads")
    for name, entry in TASKS.items():
        reads = " or ".join(filter(None, [entry.file, ":PATH" if entry.takes_path else ""]))
        table.add_row(name, entry.about, reads)
    Console().print(table)


def _number(value: float) -> str:
    return f"{value:.4g}"


def _interval(figure: dict[str, Any]) -> str:
    if figure["low"] is None:
        return "one question"
    return f"{_number(figure['low'])} … {_number(figure['high'])}"


def _count(facts: dict[str, Any], figure: dict[str, Any]) -> str:
    """How many questions the figure is over; how many were too long, where that is all of them."""
    long = facts["too_long"] if figure["questions"] == facts["questions"] else 0
    return f"{figure['questions']:,}" + (f", {long:,} too long" if long else "")
