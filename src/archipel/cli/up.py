"""archipel up: the service and the assistant's page, on this machine."""

import contextlib
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from archipel import config
from archipel.cli.choosing import choose_models
from archipel.cli.serve import MODELS_HELP, print_first, print_models
from archipel.errors import ConfigError
from archipel.hosts import is_loopback

if TYPE_CHECKING:
    from archipel.serve.service import Service
    from archipel.serve.settings import Settings
    from archipel.serve.weights import Weights


@dataclass(frozen=True)
class Page:
    """Where the assistant's page listens, and for whom: `people` is whether they log in, `url`
    where their browsers reach it through a proxy with TLS. `folders`: whoever uses this machine may
    search those of the person who runs it."""

    host: str = "127.0.0.1"
    port: int = 0
    people: bool = False
    url: str | None = None
    folders: bool = False


def up(
    models: list[str] | None = typer.Argument(None, help=MODELS_HELP),
    port: int = typer.Option(8080, min=0, max=65535, help="Port of the service."),
    page_port: int = typer.Option(8081, min=0, max=65535, help="Port of the assistant's page."),
    page_host: str = typer.Option(
        "127.0.0.1", help="Address of the page; another needs --people and --page-url."
    ),
    people: bool = typer.Option(False, "--people", help="For several people, who log in."),
    page_url: str | None = typer.Option(
        None, help="https://HOST where browsers reach page and service, through a proxy with TLS."
    ),
    service_url: str | None = typer.Option(
        None, help="Use this OpenAI-compatible service (…/v1) instead of starting one."
    ),
    folders: bool = typer.Option(
        False,
        "--folders",
        help="The page searches what `archipel search` has indexed, for whoever uses this machine.",
    ),
    context: int = typer.Option(4096, min=64, help="Tokens that one conversation may use."),
    threads: int | None = typer.Option(None, min=1, help="Threads per model.  [default: cores]"),
    yes: bool = typer.Option(False, "--yes", help="Without MODELS: serve what fits, do not ask."),
    open_page: bool = typer.Option(True, "--open/--no-open", help="Open the page in a browser."),
) -> None:
    """Serve models and open the assistant, on this machine, until Ctrl-C.

    Without MODELS it shows which ones fit this machine's memory, asks, and fetches them.

    Examples: archipel up
    archipel up smollm2-135m
    archipel up smollm2-135m --people --page-url https://ai.example.com
    """
    import asyncio
    import webbrowser

    from rich.console import Console

    from archipel.serve.hosting import stop_event
    from archipel.serve.login.settings import LoginTable
    from archipel.serve.setting_tables import AccountsTable, ModelTable
    from archipel.serve.settings import Settings, with_models

    if models and service_url:
        raise ConfigError("give the models to serve, or --service-url of a running one: not both.")
    page = Page(page_host, page_port, people, page_url and page_url.rstrip("/"), folders)
    check_page(page, service_url)
    if not models and not service_url:
        models = choose_models(yes=yes)

    def table(path: str) -> ModelTable:
        return ModelTable(path=path, context=context, threads=threads)

    written = Settings()
    if people:
        written = Settings(accounts=AccountsTable(), login=LoginTable(url=page.url))
    settings, files = with_models(written, models or [], table, config.home())

    async def run() -> None:
        async with contextlib.AsyncExitStack() as stack:
            url, key = service_url, config.api_key()
            if url is None:
                if people:
                    key = await asyncio.to_thread(_own_key)
                running = await stack.enter_async_context(local_service(settings, files, port))
                url = running.url
                print_models(url, settings, files)
                if running.first_password:
                    print_first(page.url or url, running.first_password)
            page_url = await stack.enter_async_context(assistant_page(url, key, page))
            stopped = stop_event()
            Console(highlight=False).print(f"[bold]assistant[/]  {page_url}", soft_wrap=True)
            if open_page and sys.stdout.isatty():
                await asyncio.to_thread(webbrowser.open, page_url)
            await stopped.wait()

    asyncio.run(run())


def check_page(page: Page, service_url: str | None) -> None:
    """Refuse a page that is open to more people, or on a less safe way, than it is made for.

    Raises:
        ConfigError: it is for one person and not on this machine only; people would come without
            TLS, or to one person's folders; or the login would be on another host than the page.
    """
    from urllib.parse import urlsplit

    from archipel.serve.login.settings import is_safe

    if page.people and page.folders:
        raise ConfigError(
            "--folders with --people: the folders are yours, people would search them. Take out "
            "one of the two; people add documents to collections of theirs."
        )
    if page.url is not None:
        parts = urlsplit(page.url)
        if not is_safe(page.url) or parts.path or parts.query or "@" in parts.netloc:
            raise ConfigError(
                f"--page-url {page.url} is not https://HOST, without a path. Put a proxy with TLS "
                "before the page, and give its URL."
            )
        if not page.people:
            raise ConfigError(
                "--page-url without --people: whoever opens the page would be the same person. "
                "Add --people."
            )
    if not is_loopback(page.host) and page.url is None:
        raise ConfigError(
            f"--page-host {page.host} opens the assistant to the network. Let people log in "
            "(--people), put a proxy with TLS before the page, and give its URL with --page-url."
        )
    service_host = urlsplit(service_url).hostname or "" if service_url else "localhost"
    if page.people and page.url is None and not is_loopback(service_host):
        raise ConfigError(
            f"--people with a service on {service_host}: a browser gives the page the login of its "
            "own host only. Put both behind one proxy with TLS, and give its URL with --page-url."
        )


@contextlib.asynccontextmanager
async def local_service(
    settings: "Settings", files: Mapping[str, "Weights"], port: int
) -> AsyncIterator["Service"]:
    """The service on this machine for the time of the block."""
    from archipel.serve.hosting import listen
    from archipel.serve.service import service

    sock = listen("127.0.0.1", port)
    async with service(settings, files, sock=sock, api_key=config.api_key()) as running:
        yield running


@contextlib.asynccontextmanager
async def assistant_page(service_url: str, key: str | None, page: Page) -> AsyncIterator[str]:
    """The assistant's page for the time of the block, with this key of the service; gives its
    URL."""
    import time

    from archipel.assistant.api.files import Files
    from archipel.assistant.app import create_app
    from archipel.assistant.desk import Desk
    from archipel.assistant.history.opened import open_history
    from archipel.assistant.people import WhoAsks, alone
    from archipel.assistant.service_login import ServiceLogin
    from archipel.chat import ChatService
    from archipel.serve.hosting import hosted, listen

    sock = listen(page.host, page.port, "--page-port")
    who: WhoAsks = alone
    if page.people:
        who = ServiceLogin(service_url, key or "", page.url, time.monotonic)
    desk = Desk(open_history(), time.time)
    folders = Files() if page.folders else None
    app = create_app(ChatService(service_url, key), desk, who, page.url, folders)
    async with hosted(app, sock) as url:
        yield page.url or url


def _own_key() -> str:
    """The assistant's key of the service that is started with it."""
    import time

    from archipel.serve.accounts.keys import read_pepper
    from archipel.serve.accounts.opened import open_accounts
    from archipel.serve.accounts.own_key import own_key

    given = config.api_key()
    if given is not None:
        return given
    database = open_accounts(None)
    try:
        return own_key(database, config.home() / "assistant.key", read_pepper(), time.time())
    finally:
        database.close()
