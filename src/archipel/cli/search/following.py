"""archipel search index and watch."""

import asyncio
import contextlib
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from archipel import config
from archipel.errors import ConfigError

if TYPE_CHECKING:
    from archipel.search.index import Index
    from archipel.search.passing import Passed


def index_once() -> None:
    """Bring the index up to date, with progress on the screen.

    Raises:
        ConfigError: no folder is watched, or another process is at it.
    """
    from archipel.search.home import alone, index_path, written

    path = index_path()
    with alone(path), written(path) as index:
        if not index.folders():
            raise ConfigError("no folder is watched. `archipel search add FOLDER` adds one.")
        try:
            passed = asyncio.run(_pass(index))
        except KeyboardInterrupt:
            typer.echo("stopped; what was read is kept: the same command goes on", err=True)
            raise typer.Exit(130) from None
    typer.echo(said(passed) or "nothing changed")


async def _pass(index: "Index") -> "Passed":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from archipel.search.crew import crew_of
    from archipel.search.passing import bring_up_to_date

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), "files", TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        async with crew_of(config.usable_cores()) as crew:
            return await bring_up_to_date(
                index,
                index.folders(),
                crew,
                datetime.now(UTC),
                lambda done, of: bar.update(task, completed=done, total=of),
            )


def keep_watching() -> None:
    """Index, then follow changes until Ctrl-C or SIGTERM.

    Raises:
        ConfigError: no folder is watched, or another process is at it.
    """
    from archipel.search.home import alone, index_path, written

    path = index_path()
    with alone(path), written(path) as index:
        if not index.folders():
            raise ConfigError("no folder is watched. `archipel search add FOLDER` adds one.")
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(_watch(index))


async def _watch(index: "Index") -> None:
    from archipel.search.crew import crew_of
    from archipel.search.watching import watch

    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    typer.echo("watching; Ctrl-C ends it", err=True)
    async with crew_of(config.usable_cores()) as crew:
        await watch(index, crew, lambda: datetime.now(UTC), _say)


def _say(passed: "Passed") -> None:
    if line := said(passed):
        typer.echo(f"{datetime.now():%H:%M:%S} {line}")


def said(passed: "Passed") -> str:
    """What a pass did, in words; "" for nothing. Pure."""
    counts = {
        "read": passed.read,
        "not read (`archipel search folders` says why)": passed.refused,
        "known by their bytes": passed.recognised,
        "gone": passed.gone,
        "written to all the time, left for the next pass": len(passed.restless),
    }
    lines = [", ".join(f"{count:,} {what}" for what, count in counts.items() if count)]
    lines += [f"may not be listed by you, so not indexed: {path}" for path in passed.denied]
    lines += [f"doesn't answer, so kept as it was known: {path}" for path in passed.closed]
    return "\n".join(line for line in lines if line)
