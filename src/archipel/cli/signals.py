"""Ctrl-C and SIGTERM as a wish to stop, for verbs that have something to keep first."""

import signal
import threading

import typer


def stopped_by_signals(said: str | None) -> threading.Event:
    """Set by the first Ctrl-C or SIGTERM, which prints `said`; a second one ends at once."""
    stop = threading.Event()

    def end(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        if said:
            typer.echo(said, err=True)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    return stop
