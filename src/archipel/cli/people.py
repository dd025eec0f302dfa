"""archipel people: who logs in to the service, and what they may do."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from archipel.cli.office import DATABASE_HELP, accounts, office

if TYPE_CHECKING:
    from archipel.serve.accounts.people_office import PeopleOffice

app = typer.Typer(help="People who log in to the service.", no_args_is_help=True)
_NAME = typer.Argument(help="The person's name, as `archipel people list` shows it.")
_PROJECT = typer.Argument(help="Name of a project.")
_DATABASE = typer.Option(None, "--database", help=DATABASE_HELP)
_ASK = typer.Option(False, "--ask", help="Type a password instead of getting a new one.")


@app.command()
def add(
    name: str = typer.Argument(help="Name to log in with."),
    role: str = typer.Option("person", help="admin, auditor or person."),
    email: str | None = typer.Option(None, help="Email address, to be shown."),
    ask: bool = _ASK,
    database: str | None = _DATABASE,
) -> None:
    """Add somebody, and print their password, this once only.

    Example: archipel people add marie --role auditor
    """
    from archipel.serve.accounts.passwords import hashed
    from archipel.serve.accounts.people import read_role

    password, is_shown = _password(ask)
    with _people_office(database) as its:
        its.add(name, read_role(role), email, hashed(password))
    if is_shown:
        typer.echo(password)


@app.command("list")
def list_(database: str | None = _DATABASE) -> None:
    """Show everybody, without secrets."""
    from rich.console import Console
    from rich.table import Table

    from archipel.serve.accounts.people import list_people

    table = Table("name", "role", "email", "projects", "logs in", "state", box=None)
    with accounts(database) as opened, opened.reading() as connection:
        for one in list_people(connection):
            projects = "\n".join(f"{name} ({role})" for name, role in one["projects"].items())
            state = "disabled" if one["disabled"] else "in"
            how = one["issuer"] or "with a password"
            table.add_row(one["name"], one["role"], one["email"], projects, how, state)
    Console(highlight=False).print(table)


@app.command()
def disable(
    name: str = _NAME,
    undo: bool = typer.Option(False, "--undo", help="Let them in again."),
    database: str | None = _DATABASE,
) -> None:
    """Log somebody out everywhere; within a second their keys open nothing either.

    Example: archipel people disable marie
    """
    with _people_office(database) as its:
        if undo:
            its.undo_disable(name)
        else:
            its.disable(name)


@app.command()
def role(
    name: str = _NAME,
    role: str = typer.Argument(help="admin (may do all), auditor (sees all) or person."),
    database: str | None = _DATABASE,
) -> None:
    """Say what somebody is in the whole installation, and log them out everywhere.

    Example: archipel people role marie admin
    """
    from archipel.serve.accounts.people import read_role

    with _people_office(database) as its:
        its.set_role(name, read_role(role))


@app.command()
def password(name: str = _NAME, ask: bool = _ASK, database: str | None = _DATABASE) -> None:
    """Give somebody a new password, print it once, and log them out everywhere.

    Example: archipel people password admin
    """
    from archipel.serve.accounts.passwords import hashed

    new, is_shown = _password(ask)
    with _people_office(database) as its:
        its.set_password(name, hashed(new))
    if is_shown:
        typer.echo(new)


@app.command()
def join(
    name: str = _NAME,
    project: str = _PROJECT,
    role: str = typer.Option("member", help="manager (keys, limits, all usage) or member."),
    database: str | None = _DATABASE,
) -> None:
    """Let somebody into a project, or change what they are in it.

    Example: archipel people join marie website --role manager
    """
    from archipel.serve.accounts.people import read_project_role

    with _people_office(database) as its:
        its.join(name, project, read_project_role(role))


@app.command()
def leave(name: str = _NAME, project: str = _PROJECT, database: str | None = _DATABASE) -> None:
    """Take somebody out of a project; within a second their keys of it open nothing.

    Example: archipel people leave marie website
    """
    with _people_office(database) as its:
        its.leave(name, project)


@contextlib.contextmanager
def _people_office(url: str | None) -> Iterator["PeopleOffice"]:
    from archipel.serve.accounts.people_office import PeopleOffice

    with office(url) as its:
        yield PeopleOffice(its.connection, its.actor, its.now)


def _password(ask: bool) -> tuple[str, bool]:
    """A password, and whether it is to be shown."""
    from archipel.serve.accounts.passwords import new_password

    if ask:
        return typer.prompt("Password", hide_input=True, confirmation_prompt=True), False
    return new_password(), True
