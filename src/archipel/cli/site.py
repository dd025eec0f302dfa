"""`archipel site`: take part in a run."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from archipel.ledger import Ledger

app = typer.Typer(help="Take part in a run.", no_args_is_help=True)


@app.callback()
def site() -> None:
    """Take part in a run."""


@app.command()
def join(
    url: str | None = typer.Argument(
        None, help="The run: s3://…, az://…, gs://…, file:///… or a folder. A token holds it."
    ),
    name: str | None = typer.Option(
        None, help="This site's name, its own in the run. A token holds it."
    ),
    token: str | None = typer.Option(
        None,
        help="What `archipel run invite` printed. Others on this machine can see a command's "
        "words: ARCHIPEL_TOKEN in the environment is safer.",
    ),
    corpus: Path | None = typer.Option(
        None, help="A local copy of the run's corpus; without it, shards come from the store."
    ),
    threads: int | None = typer.Option(None, min=1, help="CPU threads (default: all it may use)."),
    cores: str | None = typer.Option(None, help="CPU cores to stay on, as in 0,1."),
) -> None:
    """Train in a run as one site. The same command again goes on after a stop or a crash.

    With the token that the run's owner made, nothing else is needed. With URL and --name, this
    machine must hold the site's key (it has joined with a token before) or the owner's.

    Example: archipel site join s3://models/first --name paris
    """
    import signal
    import threading

    from archipel.errors import ConfigError

    ledger = _open(url, name, token)

    from archipel.train.start import Place, start_site  # torch takes seconds to load

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
    start_site(ledger, ledger.name, stop, Place(corpus=corpus, threads=threads, cores=chosen))


def _open(url: str | None, name: str | None, token: str | None) -> "Ledger":
    """The run with this site's key."""
    from archipel import config
    from archipel.errors import ConfigError
    from archipel.ledger.invite import Token, accept, open_as_site
    from archipel.ledger.keyring import Keyring
    from archipel.store import Store

    keyring = Keyring(config.keys_folder())
    if token is None and not (url and name):
        token = config.join_token()
    if token:
        invitation = Token.decode(token)
        for given, meant in ((url, invitation.url), (name, invitation.site)):
            if given not in (None, meant):
                raise ConfigError(f"the token is for {meant}, not for {given}: leave {given} out")
        config.set_store_options(invitation.options)
        return accept(Store(invitation.url), keyring, invitation)
    if not url or not name:
        raise ConfigError(
            "nothing says which run to join and as which site: give a URL and --name, or --token "
            "(or ARCHIPEL_TOKEN) with what `archipel run invite` printed"
        )
    return open_as_site(Store(url), keyring, name)
