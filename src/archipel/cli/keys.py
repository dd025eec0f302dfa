"""archipel keys: who may use the service, and how much."""

from datetime import UTC, datetime

import typer

from archipel.cli.office import DATABASE_HELP, accounts, office

app = typer.Typer(help="Keys of the service, and their limits.", no_args_is_help=True)
_COLUMNS = ("key", "name", "project", "organisation", "person", "opens", "until", "limits")


@app.command()
def project(
    name: str = typer.Argument(help="Name of the new project."),
    organisation: str = typer.Option("default", help="Its organisation; a new one is made."),
    database: str | None = typer.Option(None, help=DATABASE_HELP),
) -> None:
    """Add a project, to which keys belong.

    Example: archipel keys project website --organisation marketing
    """
    with office(database) as its:
        its.add_project(name, organisation)


@app.command()
def create(
    name: str = typer.Argument(help="What the key is for."),
    project: str = typer.Option(help="The project that it belongs to."),
    model: list[str] | None = typer.Option(None, help="Public name that it opens.  [default: all]"),
    endpoint: list[str] | None = typer.Option(
        None, help="Endpoint below /v1 that it opens, as chat/completions.  [default: all]"
    ),
    expires_days: float | None = typer.Option(None, help="Days that it is good for."),
    person: str | None = typer.Option(None, help="Whose it is: it stops when they leave."),
    database: str | None = typer.Option(None, help=DATABASE_HELP),
) -> None:
    """Make a key and print it, this once only.

    Example: archipel keys create ci --project website --model chat --expires-days 90
    """
    from archipel.serve.accounts.administer import NewKey
    from archipel.serve.accounts.keys import read_pepper

    key = NewKey(name, project, model or (), endpoint or (), expires_days, person)
    with office(database) as its:
        secret = its.add_key(key, read_pepper())
    typer.echo(secret)


@app.command("list")
def list_(database: str | None = typer.Option(None, help=DATABASE_HELP)) -> None:
    """Show all keys, without their secrets, and all limits."""
    from rich.console import Console
    from rich.table import Table

    from archipel.serve.accounts.administer import limits_of, list_keys

    table = Table(*_COLUMNS, box=None)
    with accounts(database) as opened, opened.reading() as connection:
        for key in list_keys(connection):
            opens = ", ".join([*(key["models"] or ()), *(key["endpoints"] or ())]) or "all"
            until = "revoked" if key["revoked"] else _day(key["expires"])
            names = [key[f"{whose}name"] for whose in ("", "project_", "organisation_", "person_")]
            its = "\n".join(limits_of(connection, key)) or "none"
            table.add_row(key["prefix"], *names, opens, until, its)
    Console(highlight=False).print(table)


@app.command()
def revoke(
    key: str = typer.Argument(help="The key's beginning, as `archipel keys list` shows it."),
    database: str | None = typer.Option(None, help=DATABASE_HELP),
) -> None:
    """Take a key back; within a second it opens nothing.

    Example: archipel keys revoke arch-1a2B3c4D
    """
    with office(database) as its:
        its.revoke_key(key)


@app.command()
def limit(
    whom: str = typer.Argument(help="key:arch-…, project:NAME or organisation:NAME."),
    limits: list[str] = typer.Argument(
        help="requests/minute=60, tokens/day=1000000, money/month=20.50, concurrent=8; =none."
    ),
    database: str | None = typer.Option(None, help=DATABASE_HELP),
) -> None:
    """Limit what a key, a project or an organisation may use.

    Example: archipel keys limit project:website requests/minute=600 money/month=50
    """
    with office(database) as its:
        for written in limits:
            its.set_limit(whom, written)


def _day(time: float | None) -> str:
    return "always" if time is None else datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")
