"""archipel lsp: suggestions and actions for code, in any editor that speaks the language server
protocol."""

import typer

from archipel import config
from archipel.errors import ConfigError


def lsp(
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
    try:
        from archipel.editor.server import Wishes, make_server
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the language server needs pygls ({error}). `pip install 'archipel[editor]'` has it."
        ) from error
    from archipel.chat import ChatService

    wishes = Wishes(model, chat_model, tokens, seconds)
    make_server(ChatService(url, config.api_key()), wishes).start_io()
