"""archipel route: which providers are asked, and which candidates beside them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from archipel.cli.office import DATABASE_HELP, accounts, office
from archipel.errors import ConfigError

if TYPE_CHECKING:
    from archipel.serve.accounts.shadow_report import Report, Side

app = typer.Typer(
    help="Which providers are asked, and which candidates beside them.", no_args_is_help=True
)


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


@app.command()
def shadow(
    route: str = typer.Argument(help="A public name of the settings."),
    to: str | None = typer.Option(None, help="The candidate, a public name too."),
    share: float = typer.Option(0.05, help="The share of the answered questions that it gets."),
    stop: bool = typer.Option(False, "--stop", help="Ask it no more; the comparisons stay."),
    as_json: bool = typer.Option(False, "--json", help="Print the report as JSON."),
    database: str | None = typer.Option(None, help=DATABASE_HELP),
) -> None:
    """Ask a candidate what clients ask a route, and compare; without options, the report.

    Clients have the usual answer and wait for nothing. Only the comparison is kept, no text.

    Example: archipel route shadow chat --to chat-local --share 0.1
    """
    if to and stop:
        raise ConfigError("give --to or --stop, not both.")
    if to or stop:
        with office(database) as its:
            if to:
                its.shadow(route, to, share)
            else:
                its.stop_shadow(route)
        if to:
            typer.echo(f"{to} is asked {share:.1%} of what {route} is asked. For the report:")
            typer.echo(f"archipel route shadow {route}")
        else:
            typer.echo(f"{route} is shadowed no more")
        return
    from archipel.serve.accounts.shadow_report import reports

    with accounts(database) as opened, opened.reading() as connection:
        found = reports(connection, route)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
    elif not found:
        typer.echo(f"nothing of {route!r} was compared yet. --to CANDIDATE begins.")
    else:
        _show(route, found)


@app.command("list")
def list_(database: str | None = typer.Option(None, help=DATABASE_HELP)) -> None:
    """Show the providers that are drained and the routes that are shadowed."""
    from archipel.serve.accounts.administer import drained, shadowed

    with accounts(database) as opened, opened.reading() as connection:
        for provider in drained(connection):
            typer.echo(f"{provider} is drained")
        for route, its in shadowed(connection).items():
            typer.echo(f"{its.candidate} is asked {its.share:.1%} of what {route} is asked")


def _show(route: str, found: Sequence["Report"]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None)
    table.add_column(f"of {route}")
    rows: dict[str, list[str]] = {}
    for one in found:
        table.add_column(one.candidate, justify="right")
        for name, value in _facts(one).items():
            rows.setdefault(name, []).append(value)
    for name, values in rows.items():
        table.add_row(name, *values)
    Console(highlight=False).print(table)


def _facts(one: "Report") -> dict[str, str]:
    answered = one.compared - one.failed
    return {
        "compared": f"{one.compared:,}",
        "failed": f"{one.failed:,}",
        "the same text": f"{one.same / answered:.1%}" if answered else "-",
        "words in common (median F1)": "-" if one.words_p50 is None else f"{one.words_p50:.2f}",
        "tool calls agree": f"{one.calls_agree:,} of {one.calls:,}" if one.calls else "-",
        "seconds, p50 / p95": _against(one, lambda s: f"{s.seconds_p50:.2f} / {s.seconds_p95:.2f}"),
        "answer tokens": _against(one, lambda s: f"{s.completion_tokens:,}"),
        "cost": _against(one, lambda s: f"{s.cost:,.6f}"),
    }


def _against(one: "Report", tell: Callable[["Side"], str]) -> str:
    """The candidate's figure, and the usual one's behind it."""
    if one.its is None or one.usual is None:
        return "-"
    return f"{tell(one.its)} (usual {tell(one.usual)})"
