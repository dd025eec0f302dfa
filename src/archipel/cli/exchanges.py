"""archipel exchanges: what is asked and answered, of projects that keep it."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import typer

from archipel.cli.office import DATABASE_HELP, accounts, office
from archipel.errors import ConfigError

if TYPE_CHECKING:
    from archipel.serve.accounts.exchanges import Exchange, Seal

_SHOWN = 13  # characters of an id that tell it from others

app = typer.Typer(
    help="What is asked and answered, of projects that keep it. Reading it is audited.",
    no_args_is_help=True,
)


@app.command()
def keep(
    project: str = typer.Argument(help="The project's name."),
    days: float | None = typer.Option(None, help="Days until an exchange is deleted."),
    share: float = typer.Option(1.0, help="The share of the exchanges that is kept, by chance."),
    stop: bool = typer.Option(False, "--stop", help="Keep nothing more; what is kept stays."),
    database: str | None = typer.Option(None, help=DATABASE_HELP),
) -> None:
    """Keep what a project's keys ask and are answered, for some days, encrypted.

    Example: archipel exchanges keep website --days 30
    """
    from archipel.serve.accounts import exchanges

    if stop == (days is not None):
        raise ConfigError("give --days or --stop.")
    with office(database) as its:
        if days is not None:
            exchanges.keep(its, project, days, share)
        else:
            exchanges.stop(its, project)
    if days is None:
        typer.echo(
            f"nothing more of {project} is kept; `archipel exchanges purge` deletes the rest"
        )
    else:
        typer.echo(f"{share:.1%} of what {project} asks is kept for {days:g} days")


@app.command("list")
def list_(
    project: str | None = typer.Option(None, help="Of this project only."),
    most: int = typer.Option(50, min=1, help="How many, the newest."),
    database: str | None = typer.Option(None, help=DATABASE_HELP),
) -> None:
    """Show which exchanges are kept, without what was asked, and which projects keep them."""
    from rich.console import Console
    from rich.table import Table

    from archipel.serve.accounts.exchanges import keeping, newest

    with office(database) as its:
        id = its.project(project) if project else None
        its.record("exchanges.list", project=project)
        projects, found = keeping(its.connection), newest(its.connection, id, most)
    for one in projects:
        typer.echo(f"{one.name} keeps {one.share:.1%} for {one.days:g} days")
    table = Table("id", "when", "project", "key", "model", "provider", "tokens", box=None)
    for kept in found:
        tokens = f"{kept.prompt_tokens} + {kept.completion_tokens}"
        names = kept.project, kept.key, kept.model, kept.provider
        table.add_row(kept.id[:_SHOWN], _when(kept.time)[:16], *names, tokens)
    Console(highlight=False, markup=False).print(table)


@app.command()
def show(
    id: str = typer.Argument(help="Its id, or how that begins."),
    database: str | None = typer.Option(None, help=DATABASE_HELP),
) -> None:
    """Print one exchange as JSON. The audit log says who read it.

    Example: archipel exchanges show 1b9d6bcd
    """
    from archipel.serve.accounts.exchanges import one

    with office(database) as its:
        found = one(its.connection, id, _seal())
        its.record("exchanges.show", exchange=found.id, project=found.project)
    typer.echo(json.dumps(_told(found), indent=2, ensure_ascii=False))


@app.command()
def export(
    project: str = typer.Argument(help="The project's name."),
    file: Path = typer.Argument(help="File to write, a JSON object a line; - prints them."),
    database: str | None = typer.Option(None, help=DATABASE_HELP),
) -> None:
    """Write all exchanges of a project. The audit log says who did.

    Example: archipel exchanges export website website.jsonl
    """
    from archipel.files import atomic_text
    from archipel.serve.accounts.exchanges import every

    with office(database) as its:
        id = its.project(project)
        its.record("exchanges.export", project=project)
    with accounts(database) as opened, opened.reading() as connection:
        found = every(connection, id, _seal())
        if str(file) == "-":
            _write(found, sys.stdout)
            return
        with atomic_text(file) as new:
            count = _write(found, new)
    typer.echo(f"{count} exchanges in {file}")


@app.command()
def purge(
    project: str | None = typer.Argument(None, help="Delete all of this project, now."),
    database: str | None = typer.Option(None, help=DATABASE_HELP),
) -> None:
    """Delete what was kept long enough, which the service also does, or all of a project.

    Example: archipel exchanges purge website
    """
    from archipel.serve.accounts import exchanges

    with office(database) as its:
        if project:
            count = exchanges.purge(its, project)
        else:
            count = 0
            while some := exchanges.delete_expired(its.connection, its.now):
                count += some
    typer.echo(f"{count} exchanges are deleted")


def _seal() -> "Seal":
    from archipel.serve.accounts.exchanges import Seal
    from archipel.serve.accounts.keys import read_pepper

    return Seal(read_pepper())


def _write(found: Iterable["Exchange"], file: TextIO) -> int:
    count = 0
    for exchange in found:
        file.write(json.dumps(_told(exchange), ensure_ascii=False) + "\n")
        count += 1
    return count


def _told(exchange: "Exchange") -> dict[str, Any]:
    """An exchange as JSON: of the answer its text and calls, or the bytes if it is not a chat's."""
    from archipel.serve.shadow import said

    answer = exchange.answer or b""
    read = said(answer)
    told = asdict(exchange) | {"time": _when(exchange.time)}
    return told | {"answer": asdict(read) if read else answer.decode("utf-8", "replace")}


def _when(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds")
