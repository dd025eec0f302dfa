"""`archipel site`: take part in a run."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

if TYPE_CHECKING:
    from archipel.ledger import Ledger
    from archipel.store import Store

Sharding = Literal["ddp", "fsdp"]

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
    sharding: Sharding = typer.Option(
        "ddp", help="Under torchrun: the whole model in each process, or FSDP2's shards."
    ),
    micro_batch: int | None = typer.Option(
        None, min=1, help="Sequences in a forward pass; the gradients add up (default: all)."
    ),
    checkpoint_activations: bool = typer.Option(
        False, help="Compute activations again in the backward pass: less memory, more time."
    ),
    compile: bool = typer.Option(False, help="Compile the model with torch.compile."),
    up_limit: float | None = typer.Option(
        None, min=0.01, help="Mbit/s that bulk data may take on the way to the store."
    ),
    down_limit: float | None = typer.Option(
        None, min=0.01, help="Mbit/s that bulk data may take on the way from the store."
    ),
) -> None:
    """Train in a run as one site. The same command again goes on after a stop or a crash.

    With the token that the run's owner made, nothing else is needed. With URL and --name, this
    machine must hold the site's key (it has joined with a token before) or the owner's.

    A site of several GPUs: torchrun --nproc-per-node 8 -m archipel site join … --sharding fsdp

    Example: archipel site join s3://models/first --name paris
    """
    from functools import partial

    from archipel import config, log
    from archipel.cli.signals import stopped_by_signals
    from archipel.store import Store

    up, down = ((mbits or 0.0) * 125_000 for mbits in (up_limit, down_limit))
    ledger = _open(url, name, token, partial(Store, up_limit=up, down_limit=down))

    log.label(site=ledger.name)

    from archipel.train.sharding import InsideOptions  # torch takes seconds to load
    from archipel.train.start import Place, start_site

    inside = InsideOptions(
        micro_batch=micro_batch,
        checkpoint_activations=checkpoint_activations,
        compile=compile,
        sharding=sharding,
    )
    place = Place(corpus=corpus, threads=threads, cores=_numbers(cores), inside=inside)
    leads = config.torchrun_rank() == 0
    said = "ending: handing in what was trained (again to end at once)" if leads else None
    start_site(ledger, ledger.name, stopped_by_signals(said), place)


def _numbers(cores: str | None) -> set[int] | None:
    from archipel.errors import ConfigError

    try:
        return {int(core) for core in cores.split(",")} if cores else None
    except ValueError as error:
        raise ConfigError(f"--cores {cores!r} is not a list of numbers: write it as 0,1") from error


def _open(
    url: str | None, name: str | None, token: str | None, store: "Callable[[str], Store]"
) -> "Ledger":
    """The run with this site's key; in a process above rank 0, which only follows, without."""
    from archipel import config
    from archipel.errors import ConfigError
    from archipel.ledger import Ledger
    from archipel.ledger.invite import Token, accept, open_as_site
    from archipel.ledger.keyring import Keyring

    keyring = Keyring(config.keys_folder())
    if token is None and not (url and name):
        token = config.join_token()
    if token:
        invitation = Token.decode(token)
        for given, meant in ((url, invitation.url), (name, invitation.site)):
            if given not in (None, meant):
                raise ConfigError(f"the token is for {meant}, not for {given}: leave {given} out")
        config.set_store_options(invitation.options)
        if config.torchrun_rank():
            return Ledger.open(store(invitation.url))
        return accept(store(invitation.url), keyring, invitation)
    if not url or not name:
        raise ConfigError(
            "nothing says which run to join and as which site: give a URL and --name, or --token "
            "(or ARCHIPEL_TOKEN) with what `archipel run invite` printed"
        )
    if config.torchrun_rank():
        return Ledger.open(store(url))
    return open_as_site(store(url), keyring, name)
