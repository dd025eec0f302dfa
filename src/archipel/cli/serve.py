"""archipel serve: models behind one OpenAI-compatible API."""

import logging
import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from archipel import config
from archipel.errors import ArchipelError, ConfigError

if TYPE_CHECKING:
    from archipel.serve.service import Service
    from archipel.serve.settings import Settings
    from archipel.serve.weights import Weights

_log = logging.getLogger(__name__)
MODELS_HELP = "Directories, .gguf files or pulled names; NAME=MODEL gives another public name."


def serve(
    models: list[str] | None = typer.Argument(None, help=MODELS_HELP),
    config_file: Path | None = typer.Option(
        None, "--config", help="TOML file with models, providers elsewhere, and routes."
    ),
    check: bool = typer.Option(False, "--check", help="Only say whether all that is right."),
    host: str = typer.Option("127.0.0.1", help="Address to listen on; another needs a key."),
    port: int = typer.Option(8080, min=0, max=65535, help="Port to listen on; 0 takes a free one."),
    context: int = typer.Option(4096, min=64, help="Tokens that one request may use."),
    parallel: int = typer.Option(4, min=1, help="Requests that each model answers at once."),
    threads: int | None = typer.Option(None, min=1, help="Threads per model.  [default: cores]"),
    api_key_file: Path | None = typer.Option(
        None, help="File with the key that clients must send.  [default: ARCHIPEL_API_KEY]"
    ),
    ray: bool = typer.Option(
        False, "--ray", help="Run the models in this machine's Ray cluster; starts one if none."
    ),
    ray_address: str | None = typer.Option(
        None, "--ray-address", help="HOST:PORT of the Ray cluster's head; takes --ray for granted."
    ),
) -> None:
    """Serve models through an OpenAI-compatible API until Ctrl-C. SIGHUP: read --config again.

    Examples: archipel serve smollm2-135m --config service.toml
    archipel serve --config service.toml --ray
    """
    import asyncio

    import uvloop

    from archipel.serve.cluster.settings import check_for_ray, with_models_elsewhere
    from archipel.serve.hosting import give_way, listen, stop_event
    from archipel.serve.providers import read_key
    from archipel.serve.service import RayCluster, check_exposure, service
    from archipel.serve.setting_tables import ModelTable
    from archipel.serve.settings import Settings, read_settings, with_models

    api_key = read_key(api_key_file) if api_key_file else config.api_key()
    written = read_settings(config_file) if config_file else Settings()
    check_exposure(host, api_key, written)
    if api_key_file and written.accounts:
        raise ConfigError(
            "give --api-key-file or [accounts], not both: with accounts, each client "
            "has a key of its own. `archipel keys create` makes one."
        )
    if not (models or written.models or written.routes):
        raise ConfigError(
            "give the models to serve, or --config with routes. `archipel pull smollm2-135m` gets "
            "a small model to begin with."
        )

    def table(path: str) -> ModelTable:
        return ModelTable(path=path, context=context, parallel=parallel, threads=threads)

    address = ray_address or config.variable("RAY_ADDRESS")
    cluster = RayCluster(address) if ray or ray_address else None
    files: dict[str, Weights] = {}
    if cluster:
        check_for_ray()
        settings = with_models_elsewhere(written, models or [], table)
    else:
        settings, files = with_models(written, models or [], table, config.home())
    if check:
        _check(settings, files)
        return
    sock = listen(host, port)

    async def run() -> None:
        async with service(settings, files, sock=sock, api_key=api_key, ray=cluster) as running:
            stopped = stop_event()
            if config_file:
                again = partial(_read_again, running, config_file, written)
                asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, again)
            print_models(running.url, settings, running.files)
            if running.first_password:
                print_first(running.url, running.first_password)
            _print_replicas(running)
            await stopped.wait()

    give_way()
    uvloop.run(run())  # a quarter less of a core for each piece of a stream than asyncio's own


def _check(settings: "Settings", files: Mapping[str, "Weights"]) -> None:
    """Look for what the settings name outside their file, and say what would be served."""
    from archipel.serve.login.opened import client_secret
    from archipel.serve.service import check_provenance, providers_elsewhere

    providers_elsewhere(settings)
    check_provenance(settings)
    if settings.oidc:
        client_secret(settings.oidc)
    typer.echo(f"all is right; it would serve {', '.join(settings.policies())}")
    for name, weights in files.items():
        typer.echo(f"{name}: {weights.described()}")


def _read_again(running: "Service", file: Path, written: "Settings") -> None:
    """Route by the file as it is now; if that can't be, go on as before and say why."""
    from archipel.serve.settings import read_settings

    try:
        settings = read_settings(file)
        if fixed := settings.fixed_changes(written):
            named = ", ".join(f"[{name}]" for name in fixed)
            raise ConfigError(f"{named} changed: that takes a restart.")
        running.change(settings)
    except ArchipelError as error:
        _log.error("%s is not taken: %s", file, error)
        return
    _log.info("routing by %s as it is now: %s", file, ", ".join(running.directory.policies))


def print_first(url: str, password: str) -> None:
    """The first administrator's secret, for the service at `url`: here and never again, and not in
    the log."""
    name, secret = typer.style("admin", bold=True), typer.style(password, bold=True)
    page = f"{url.removesuffix('/v1')}/login"
    typer.echo(f"administrator, shown this once: name {name}, password {secret}  {page}")


def _print_replicas(running: "Service") -> None:
    """One line per replica in a Ray cluster: the model and its node."""
    for name, pool in running.replicated.items():
        for replica in pool.replicas:
            typer.echo(f"  {name}  on node {replica.node}, replica {replica.id}")


def print_models(url: str, settings: "Settings", files: Mapping[str, "Weights"]) -> None:
    """One line per public name: what runs here with its size, a route with its targets."""
    for name, policy in settings.policies().items():
        if name in files and name not in settings.routes:
            what = files[name].described()
        else:
            what = ", ".join(f"{target.provider}/{target.model}" for target in policy.targets)
        typer.echo(f"{typer.style(name, bold=True)}  {url}  {typer.style(what, dim=True)}")
