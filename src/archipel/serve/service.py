"""The service as a whole: an engine for each model that runs here, and the gateway before all."""

import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from archipel.errors import ConfigError
from archipel.hosts import is_loopback
from archipel.serve.access import Access, LocalAccess, OneKeyAccess
from archipel.serve.accounts.access import AccountAccess
from archipel.serve.accounts.keys import read_pepper
from archipel.serve.accounts.meter import Meter
from archipel.serve.accounts.opened import open_accounts
from archipel.serve.accounts.orders import following
from archipel.serve.accounts.shadowing import Shadows
from archipel.serve.cluster.pool import Pool
from archipel.serve.cluster.ray_side import on_ray
from archipel.serve.engine import Engine, EngineSettings
from archipel.serve.engines import Engines, Stay
from archipel.serve.gateway import create_app
from archipel.serve.heads import BoundedHeads
from archipel.serve.hosting import hosted, listen
from archipel.serve.metrics import Metrics, metrics_app
from archipel.serve.observers import Nobody, Observer
from archipel.serve.providers import Directory, EngineProvider, Provider, provider_elsewhere
from archipel.serve.settings import Settings

_log = logging.getLogger(__name__)


def check_exposure(host: str, api_key: str | None, settings: Settings) -> None:
    """Refuse to open the service to a network without a key.

    Raises:
        ConfigError: `host` is not this machine's own and there is no key.
    """
    if api_key is None and settings.accounts is None and not is_loopback(host):
        raise ConfigError(
            f"--host {host} opens the service to the network without a key. Put one into a file "
            "and give --api-key-file, set ARCHIPEL_API_KEY, or give each client a key of its own: "
            "[accounts] in --config."
        )


@dataclass(frozen=True)
class RayCluster:
    """A Ray cluster by its address; without one, that of this machine, or a new one."""

    address: str | None


@dataclass
class Service:
    """A running service: its URL (…/v1), and what it answers for."""

    url: str
    settings: Settings
    directory: Directory
    replicated: Mapping[str, Pool]  # the models that run in a Ray cluster

    def change(self, settings: Settings) -> None:
        """Route by other settings from the next request on; the models that run here stay.

        Raises:
            ConfigError: a provider's key is lacking: all stays.
        """
        elsewhere = providers_elsewhere(settings)
        engines = {name: self.directory.providers[name] for name in self.settings.models}
        settings = settings.model_copy(update={"models": self.settings.models})
        self.directory.providers = {**elsewhere, **engines}
        self.directory.policies = settings.policies()
        self.settings = settings


@contextlib.asynccontextmanager
async def service(
    settings: Settings,
    files: Mapping[str, Path],
    *,
    sock: socket.socket,
    api_key: str | None,
    ray: RayCluster | None = None,
) -> AsyncIterator[Service]:
    """Answer for all public names of the settings for the time of the block.

    `files` are the GGUF files of the models that run here; with `ray` none does, they run there.

    Raises:
        ConfigError: `sock` listens on a network and there is no key; a provider's key is lacking;
            the metrics' port is taken.
        DatabaseError: the accounts' database can't be used.
        ModelError: an engine can't load its model.
    """
    check_exposure(sock.getsockname()[0], api_key, settings)
    providers = providers_elsewhere(settings)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(sock)
        metrics = Metrics()
        await _show_metrics(settings, metrics, stack)
        replicated: dict[str, Pool] = {}
        if ray:
            replicas = on_ray(settings.models, ray.address, metrics)
            replicated = await stack.enter_async_context(replicas)
            providers |= replicated
        else:
            engines = await stack.enter_async_context(_engines(settings, files))
            providers |= {name: EngineProvider(engines, name) for name in settings.models}
        directory = Directory(settings.policies(), providers, replicated)
        access, observer = await _access(settings, api_key, directory, metrics, stack)
        app = create_app(directory, access, observer, metrics)
        url = await stack.enter_async_context(hosted(app, sock, BoundedHeads))
        yield Service(f"{url}/v1", settings, directory, replicated)


def providers_elsewhere(settings: Settings) -> dict[str, Provider]:
    """The providers that the settings name, by name.

    Raises:
        ConfigError: the key of one can't be had.
    """
    return {name: provider_elsewhere(name, table) for name, table in settings.providers.items()}


async def _show_metrics(
    settings: Settings, metrics: Metrics, stack: contextlib.AsyncExitStack
) -> None:
    """Until the stack ends, if the settings say where."""
    if settings.metrics is None:
        return
    host, port = settings.metrics.address()
    sock = stack.enter_context(listen(host, port, "metrics.listen"))
    url = await stack.enter_async_context(hosted(metrics_app(metrics, host), sock))
    _log.info("metrics: %s/metrics", url)


async def _access(
    settings: Settings,
    api_key: str | None,
    directory: Directory,
    metrics: Metrics,
    stack: contextlib.AsyncExitStack,
) -> tuple[Access, Observer]:
    """Who may ask, and who looks at answers; what they need runs until the stack ends."""
    if settings.accounts is None:
        return OneKeyAccess(api_key) if api_key else LocalAccess(), Nobody()
    database = open_accounts(settings.accounts.database)
    stack.callback(database.close)
    await stack.enter_async_context(following(database, directory))
    meter = Meter(database, metrics=metrics)
    await stack.enter_async_context(meter.writing())
    pepper, most = read_pepper(), settings.accounts.answer_tokens
    return AccountAccess(database, meter, pepper, most, {}), Shadows(database, directory)


def _engines(settings: Settings, files: Mapping[str, Path]) -> Engines:
    made = {}
    for name, table in settings.models.items():
        how = EngineSettings(table.context, table.parallel, table.threads, table.pooling)
        stay = Stay(table.load == "start", table.idle_seconds, table.pinned)
        made[name] = Engine(name, files[name], how), stay
    gigabytes = settings.engines.memory_gigabytes
    return Engines(made, int(gigabytes * 1e9) if gigabytes else None)
