"""archipel audit: who administered the service how, and whether that record is whole."""

from datetime import UTC, datetime

import typer

from archipel.cli.office import DATABASE_HELP, accounts


def audit(database: str | None = typer.Option(None, help=DATABASE_HELP)) -> None:
    """Show all administrative acts; fail if one was altered or taken out.

    Example: archipel audit
    """
    from rich.console import Console

    from archipel.serve.accounts.audit import acts

    console = Console(highlight=False, markup=False)
    count = 0
    with accounts(database) as its, its.reading() as connection:
        for act in acts(connection):
            when = datetime.fromtimestamp(act.time, UTC).isoformat(" ", "seconds")
            told = " ".join(f"{name}={value}" for name, value in act.details.items())
            console.print(f"{when}  {act.actor}  {act.act}  {told}", soft_wrap=True)
            count += 1
    console.print(f"{count} acts, each as it was written")
