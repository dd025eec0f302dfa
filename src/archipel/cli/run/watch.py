"""`archipel run watch`: a run as it goes, in the terminal."""

import typer

from archipel.cli.arguments import RUN_URL


def watch(
    url: str = RUN_URL,
    once: bool = typer.Option(False, "--once", help="Print the state once and end."),
) -> None:
    """Show a run's sites, speed, loss, rounds and bytes as it goes.

    Example: archipel run watch s3://models/first
    """
    import time
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.live import Live

    from archipel.cli.run.screen import run_screen
    from archipel.ledger import Ledger
    from archipel.ledger.view import look
    from archipel.store import Store

    ledger = Ledger.open(Store(url))
    console = Console()
    if once:
        console.print(run_screen(look(ledger, datetime.now(UTC)), url))
        return
    with Live(console=console, auto_refresh=False) as live:
        try:
            while True:
                live.update(run_screen(look(ledger, datetime.now(UTC)), url), refresh=True)
                time.sleep(ledger.spec.heartbeat_seconds)
        except KeyboardInterrupt:
            return
