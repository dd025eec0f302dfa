"""`archipel site`: take part in a run."""

from pathlib import Path

import typer

app = typer.Typer(help="Take part in a run.", no_args_is_help=True)


@app.callback()
def site() -> None:
    """Take part in a run."""


@app.command()
def join(
    url: str = typer.Argument(help="The run: s3://…, az://…, gs://…, file:///… or a folder."),
    name: str = typer.Option(help="This site's name, its own in the run."),
    corpus: Path | None = typer.Option(
        None, help="A local copy of the run's corpus; without it, shards come from the store."
    ),
    threads: int | None = typer.Option(None, min=1, help="CPU threads (default: all it may use)."),
    cores: str | None = typer.Option(None, help="CPU cores to stay on, as in 0,1."),
) -> None:
    """Train in a run as one site. The same command again goes on after a stop or a crash.

    Example: archipel site join s3://models/first --name paris
    """
    import signal
    import threading

    from archipel.errors import ConfigError
    from archipel.ledger import Ledger, check_site_name
    from archipel.store import Store

    check_site_name(name)
    ledger = Ledger.open(Store(url))  # before torch, which takes seconds to load

    from archipel.train.start import start_site

    stop = threading.Event()

    def end(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        typer.echo("ending: handing in what was trained (again to end at once)", err=True)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    try:
        chosen = {int(core) for core in cores.split(",")} if cores else None
    except ValueError as error:
        raise ConfigError(f"--cores {cores!r} is not a list of numbers: write it as 0,1") from error
    start_site(ledger, name, stop, corpus=corpus, threads=threads, cores=chosen)
