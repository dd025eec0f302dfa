"""archipel up: the service and the assistant's page, on this machine."""

import contextlib
import sys
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

import typer

from archipel import config
from archipel.cli.serve import MODELS_HELP, print_models
from archipel.errors import ConfigError

if TYPE_CHECKING:
    from archipel.serve.settings import Settings
    from archipel.serve.weights import Weights


def up(
    models: list[str] | None = typer.Argument(None, help=MODELS_HELP),
    port: int = typer.Option(8080, min=0, max=65535, help="Port of the service."),
    page_port: int = typer.Option(8081, min=0, max=65535, help="Port of the assistant's page."),
    service_url: str | None = typer.Option(
        None, help="Use this OpenAI-compatible service (…/v1) instead of starting one."
    ),
    context: int = typer.Option(4096, min=64, help="Tokens that one conversation may use."),
    threads: int | None = typer.Option(None, min=1, help="Threads per model.  [default: cores]"),
    open_page: bool = typer.Option(True, "--open/--no-open", help="Open the page in a browser."),
) -> None:
    """Serve models and open the assistant, on this machine only, until Ctrl-C."""
    import asyncio
    import webbrowser

    from rich.console import Console

    from archipel.serve.hosting import stop_event
    from archipel.serve.setting_tables import ModelTable
    from archipel.serve.settings import Settings, with_models

    if bool(models) == bool(service_url):
        raise ConfigError(
            "give the models to serve, or --service-url of a running service: not both, not none. "
            "`archipel pull smollm2-135m` gets a small model to begin with."
        )

    def table(path: str) -> ModelTable:
        return ModelTable(path=path, context=context, threads=threads)

    settings, files = with_models(Settings(), models or [], table, config.home())

    async def run() -> None:
        async with contextlib.AsyncExitStack() as stack:
            if service_url:
                url = service_url
            else:
                running = local_service(settings, files, port=port)
                url = await stack.enter_async_context(running)
                print_models(url, settings, files)
            page_url = await stack.enter_async_context(assistant_page(url, port=page_port))
            stopped = stop_event()
            Console(highlight=False).print(f"[bold]assistant[/]  {page_url}", soft_wrap=True)
            if open_page and sys.stdout.isatty():
                await asyncio.to_thread(webbrowser.open, page_url)
            await stopped.wait()

    asyncio.run(run())


@contextlib.asynccontextmanager
async def local_service(
    settings: "Settings", files: Mapping[str, "Weights"], *, port: int
) -> AsyncIterator[str]:
    """The service on this machine for the time of the block; gives its URL (…/v1)."""
    from archipel.serve.hosting import listen
    from archipel.serve.service import service

    sock = listen("127.0.0.1", port)
    async with service(settings, files, sock=sock, api_key=config.api_key()) as running:
        yield running.url


@contextlib.asynccontextmanager
async def assistant_page(service_url: str, *, port: int) -> AsyncIterator[str]:
    """The assistant's page on this machine for the time of the block; gives its URL."""
    import time

    from archipel.assistant.app import create_app
    from archipel.assistant.desk import Desk
    from archipel.assistant.history.opened import open_history
    from archipel.chat import ChatService
    from archipel.serve.hosting import hosted, listen

    sock = listen("127.0.0.1", port, "--page-port")
    desk = Desk(open_history(), time.time)
    app = create_app(ChatService(service_url, config.api_key()), desk)
    async with hosted(app, sock) as url:
        yield url
