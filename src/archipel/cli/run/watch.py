"""`archipel run watch`: a run as it goes, in the terminal and elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from archipel.cli.arguments import RUN_URL

if TYPE_CHECKING:
    from archipel.ledger.view import Prices, RunView
    from archipel.watch.feed import Feed


def watch(
    url: str = RUN_URL,
    once: bool = typer.Option(False, "--once", help="Print the state once and end."),
    as_json: bool = typer.Option(False, "--json", help="Print it as one JSON document and end."),
    page: bool = typer.Option(False, "--page", help="Serve a page, and /metrics for Prometheus."),
    port: int = typer.Option(8010, min=0, max=65535, help="Port of the page."),
    host: str = typer.Option("127.0.0.1", help="Address that page and metrics listen on."),
    allow_host: list[str] = typer.Option(
        [], help="Name by which a browser or Prometheus may ask, besides this machine's own."
    ),
    prometheus: int | None = typer.Option(
        None, min=0, max=65535, help="Port on which to serve only /metrics."
    ),
    tensorboard: Path | None = typer.Option(
        None, help="Folder in which to write TensorBoard event files."
    ),
    price: list[str] = typer.Option(
        [], help="Price of a site's hour: 1.0 for every site, paris=2.5 for one."
    ),
) -> None:
    """Show a run's sites, speed, loss, rounds and refusals, bytes and cost, as it goes.

    Example: archipel run watch s3://models/first --page --price 1.20
    """
    from contextlib import ExitStack, closing
    from datetime import UTC, datetime

    from archipel.ledger import Ledger
    from archipel.ledger.view import Watcher
    from archipel.store import Store
    from archipel.watch.feed import Feed

    watcher = Watcher(Ledger.open(Store(url)), _prices(price))
    with ExitStack() as stack:
        also = []
        if tensorboard:
            from archipel.watch.tensorboard import EventFiles

            event_files = stack.enter_context(closing(EventFiles(watcher.ledger, tensorboard)))
            also.append(event_files.write)
        feed = Feed(lambda: watcher.look(datetime.now(UTC)), also)
        seconds = watcher.ledger.spec.heartbeat_seconds
        ports = {"--port": port} if page else {}
        if prometheus is not None:
            ports["--prometheus"] = prometheus
        if once or as_json:
            _print(feed.look(), url, as_json=as_json)
        elif ports:
            _serve(feed, url, seconds, ports=ports, hosts=(host, *allow_host))
        else:
            _show(feed, url, seconds)


def _prices(words: list[str]) -> "Prices":
    """Prices from `1.0` and `paris=2.5`."""
    from archipel.errors import ConfigError
    from archipel.ledger.view import Prices

    default, of_site = 0.0, {}
    for word in words:
        site, _, digits = word.rpartition("=")
        try:
            price = float(digits)
        except ValueError:
            price = -1.0
        if not 0 <= price < float("inf"):
            raise ConfigError(
                f"--price {word!r} is not a price: write 1.0, or paris=2.5 for a site"
            )
        if site:
            of_site[site] = price
        else:
            default = price
    return Prices(default, of_site)


def _print(view: "RunView", url: str, *, as_json: bool) -> None:
    import json

    from rich.console import Console

    from archipel.cli.run.screen import run_screen
    from archipel.watch.document import document, shown_url

    if as_json:
        typer.echo(json.dumps(document(view, url)))
    else:
        Console().print(run_screen(view, shown_url(url)))


def _show(feed: "Feed", url: str, seconds: float) -> None:
    """The screen, until Ctrl-C or until the run is finished."""
    import time

    from rich.live import Live
    from rich.text import Text

    from archipel.cli.run.screen import run_screen
    from archipel.watch.document import shown_url

    with Live(auto_refresh=False) as live:
        try:
            while True:
                feed.refresh()
                note = f"{feed.problem} Trying again." if feed.problem else ""
                view = feed.view
                live.update(run_screen(view, shown_url(url), note) if view else Text(note))
                live.refresh()
                if view and view.state == "finished" and not view.pieces_behind:
                    return
                time.sleep(seconds)
        except KeyboardInterrupt:
            return


def _serve(
    feed: "Feed", url: str, seconds: float, *, ports: dict[str, int], hosts: tuple[str, ...]
) -> None:
    """Serve until Ctrl-C, looking every so many seconds. The first of `hosts` is listened on."""
    import asyncio
    from contextlib import AsyncExitStack

    from archipel.serve.hosting import hosted, listen, stop_event
    from archipel.watch.page import create_app

    async def run() -> None:
        async with AsyncExitStack() as stack:
            for option, port in ports.items():
                app = create_app(feed, url, page=option == "--port", hosts=hosts)
                sock = listen(hosts[0], port, option)
                at = await stack.enter_async_context(hosted(app, sock))
                typer.echo(f"page     {at}" if option == "--port" else f"metrics  {at}/metrics")
            stopped = asyncio.create_task(stop_event().wait())
            looking = asyncio.create_task(feed.keep_fresh(seconds))
            await asyncio.wait({stopped, looking}, return_when=asyncio.FIRST_COMPLETED)
            if looking.done():
                looking.result()  # only an error ends it
            looking.cancel()

    asyncio.run(run())
