"""archipel lsp: suggestions and actions for code, in any editor that speaks the language server
protocol; and what became of the suggestions."""

from typing import TYPE_CHECKING

import typer

from archipel import config
from archipel.errors import ConfigError

if TYPE_CHECKING:
    from archipel.editor.counts import Counts

app = typer.Typer(invoke_without_command=True)


@app.callback()
def lsp(
    context: typer.Context,
    url: str = typer.Option("http://127.0.0.1:8080/v1", help="An OpenAI-compatible service."),
    model: str | None = typer.Option(
        None, "--model", "-m", help="For suggestions (default: the first that fills gaps)."
    ),
    chat_model: str | None = typer.Option(
        None, help="To explain, optimise, repair, document, write tests (default: the first)."
    ),
    tokens: int = typer.Option(64, min=1, max=1024, help="Of a suggestion, at most."),
    seconds: float = typer.Option(5.0, min=0.1, help="Until a suggestion is given up."),
) -> None:
    """Help in an editor, which starts this itself and speaks to it over standard input and output.

    A key for the service is taken from ARCHIPEL_API_KEY. See docs/editors.md for editors' settings.

    Example, in Neovim: vim.lsp.start({cmd = {"archipel", "lsp"}, name = "archipel"})
    """
    if context.invoked_subcommand is not None:
        return
    try:
        from archipel.editor.server import Wishes, make_server
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the language server needs pygls ({error}). `pip install 'archipel[editor]'` has it."
        ) from error
    import asyncio
    from datetime import date

    from archipel.chat import ChatService

    def today() -> str:
        return date.today().isoformat()

    wishes = Wishes(model, chat_model, tokens, seconds)
    service = ChatService(url, config.api_key())
    make_server(service, wishes, _counts(), asyncio.sleep, today).start_io()


@app.command()
def stats(
    by: str = typer.Option("day", help="day, language, model."),
) -> None:
    """Show how many suggestions were shown, accepted, and still there a minute later.

    The numbers are in ARCHIPEL_HOME and nowhere else; nothing of the code is kept.

    Example: archipel lsp stats --by model
    """
    from rich.console import Console
    from rich.table import Table

    from archipel.editor.counts import GROUPS

    if by not in GROUPS:
        raise ConfigError(f"--by {by}: use one of {', '.join(GROUPS)}.")
    table = Table(box=None)
    table.add_column(by, overflow="fold")
    for name in ("shown", "accepted", "of shown", "kept", "of accepted"):
        table.add_column(name, justify="right")
    for one in _counts().sums(by):
        accepted = f"{one.accepted:,}", _share(one.accepted, one.shown)
        kept = f"{one.kept:,}", _share(one.kept, one.accepted)
        table.add_row(one.name or "?", f"{one.shown:,}", *accepted, *kept)
    Console(highlight=False).print(table)


def _counts() -> "Counts":
    from archipel.editor.counts import Counts

    return Counts(config.home() / "editor.db")


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else ""
