"""archipel usage: what was used in a month, by whom, at what cost."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from archipel.cli.office import DATABASE_HELP, accounts
from archipel.errors import ConfigError

if TYPE_CHECKING:
    from archipel.serve.accounts.usage import Sum


def usage(
    month: str | None = typer.Option(None, help="As 2026-11.  [default: this month]"),
    by: str = typer.Option(
        "project", help="organisation, project, person, key, model, provider, outcome, batch."
    ),
    csv: Path | None = typer.Option(None, help="Write every request to this file; - prints them."),
    database: str | None = typer.Option(None, help=DATABASE_HELP),
) -> None:
    """Show what was used in a month (UTC), at what cost.

    Example: archipel usage --month 2026-11 --by model
    """
    from archipel.files import atomic_text
    from archipel.serve.accounts.usage import GROUPS, Month, sums, write_csv

    if by not in GROUPS:
        raise ConfigError(f"--by {by}: use one of {', '.join(GROUPS)}.")
    wanted = Month.of(month or datetime.now(UTC).strftime("%Y-%m"))
    with accounts(database) as its, its.reading() as connection:
        if csv is None:
            _show(by, sums(connection, wanted, by))
        elif str(csv) == "-":
            write_csv(connection, wanted, sys.stdout)
        else:
            with atomic_text(csv) as file:
                count = write_csv(connection, wanted, file)
            typer.echo(f"{count} requests in {csv}")


def _show(by: str, found: Sequence["Sum"]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None)
    table.add_column(by, overflow="fold")  # whole names, to be copied
    for name in ("requests", "prompt tokens", "answer tokens", "cost"):
        table.add_column(name, justify="right")
    for one in found:
        numbers = (one.requests, one.prompt_tokens, one.completion_tokens)
        table.add_row(one.group, *(f"{number:,}" for number in numbers), f"{one.cost:,.6f}")
    Console(highlight=False).print(table)
