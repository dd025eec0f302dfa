"""archipel route: which providers are asked."""

import typer

from archipel.cli.office import DATABASE_HELP, office

app = typer.Typer(help="Which providers are asked.", no_args_is_help=True)


@app.command()
def drain(
    provider: str = typer.Argument(help="Its name in the settings, or a model's that runs here."),
    undo: bool = typer.Option(False, "--undo", help="Let it be asked again."),
    database: str | None = typer.Option(None, help=DATABASE_HELP),
) -> None:
    """Ask a provider for nothing new, within a second, everywhere; what it is answering goes on.

    Example: archipel route drain first
    """
    with office(database) as its:
        if undo:
            its.undo_drain(provider)
        else:
            its.drain(provider)
    typer.echo(f"{provider} is {'asked again' if undo else 'drained'}")


@app.command("list")
def list_(database: str | None = typer.Option(None, help=DATABASE_HELP)) -> None:
    """Show the providers that are drained."""
    from archipel.cli.office import accounts
    from archipel.serve.accounts.administer import drained

    with accounts(database) as opened, opened.reading() as connection:
        for provider in drained(connection):
            typer.echo(f"{provider} is drained")
