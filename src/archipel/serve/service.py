"""The service as a whole: an engine for each model that runs here, and the gateway before all."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from starlette.routing import BaseRoute

from archipel import config
from archipel.errors import ConfigError
from archipel.hosts import is_loopback
from archipel.models.gaps import FAMILIES, Marks, find_marks
from archipel.serve.access import Access, LocalAccess, OneKeyAccess
from archipel.serve.accounts.access import AccountAccess
from archipel.serve.accounts.exchanges import Seal
from archipel.serve.accounts.keeping import Keeper
from archipel.serve.accounts.keys import read_pepper
from archipel.serve.accounts.meter import Meter
from archipel.serve.accounts.opened import open_accounts
from archipel.serve.accounts.orders import following
from archipel.serve.accounts.shadowing import Shadows
from archipel.serve.admin.app import admin_page
from archipel.serve.admin.desk import Desk
from archipel.serve.admin.health import Ward
from archipel.serve.admin.recent import Recent
from archipel.serve.annex import NO_ANNEX, Annex
from archipel.serve.browsers import open_to
from archipel.serve.cluster.pool import Pool
from archipel.serve.cluster.ray_side import on_ray
from archipel.serve.engine import Engine
from archipel.serve.engines import Engines, Stay
from archipel.serve.gateway import create_app
from archipel.serve.heads import BoundedHeads
from archipel.serve.hosting import hosted, listen
from archipel.serve.launch import launch
from archipel.serve.login.opened import Login, opened_login
from archipel.serve.metrics import Metrics, metrics_app
from archipel.serve.observers import Nobody, Observer, Several
from archipel.serve.offers import offers
from archipel.serve.providers import Directory, EngineProvider, Provider, provider_elsewhere
from archipel.serve.setting_tables import Ability, ModelTable
from archipel.serve.settings import Settings
from archipel.serve.telemetry import Telemetry
from archipel.serve.weights import Weights

_STUDIES = 2  # of the admin page at once
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
    files: Mapping[str, Weights]  # of the models that run here, with the engines that took them
    directory: Directory
    replicated: Mapping[str, Pool]  # the models that run in a Ray cluster
    first_password: str | None = None  # of the administrator whom this start made

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
        in_cluster, further = bool(self.replicated), self.directory.further
        self.directory.offers = offers(settings, in_cluster=in_cluster, further=further)
        self.settings = settings


@contextlib.asynccontextmanager
async def service(
    settings: Settings,
    files: Mapping[str, Weights],
    *,
    sock: socket.socket,
    api_key: str | None,
    ray: RayCluster | None = None,
) -> AsyncIterator[Service]:
    """Answer for all public names of the settings for the time of the block.

    `files` are what the models that run here load; with `ray` none does, they run there.

    Raises:
        ConfigError: `sock` listens on a network and there is no key; a provider's key or the OpenID
            provider's secret is lacking; the metrics' port is taken; the files' store can't be
            opened; what traces need is not installed; pictures can't be signed.
        DatabaseError: the accounts' database can't be used.
        ModelError: an engine can't load its model.
    """
    check_exposure(sock.getsockname()[0], api_key, settings)
    providers = providers_elsewhere(settings)
    check_provenance(settings)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(sock)
        metrics = Metrics()
        await _show_metrics(settings, metrics, stack)
        replicated: dict[str, Pool] = {}
        if ray:
            replicas = on_ray(settings.models, ray.address, metrics)
            replicated = await stack.enter_async_context(replicas)
        engines = await stack.enter_async_context(_engines(settings, files))
        marks = {name: _marks(settings.models[name], found) for name, found in files.items()}
        providers |= {name: EngineProvider(engines, name, marks[name]) for name in files}
        providers |= replicated
        further = {name: _further(found, marks[name]) for name, found in files.items()}
        told = offers(settings, in_cluster=ray is not None, further=further)
        directory = Directory(
            settings.policies(), providers, replicated, offers=told, further=further
        )
        access, observer, login = await _access(settings, api_key, directory, metrics, stack)
        annex = _annex(settings, access)
        if login:
            ward = Ward(directory, Recent(metrics.providers_gave), engines)
            pages = await _pages(settings, login, ward, stack)
            annex = replace(annex, routes=[*annex.routes, *pages])
        telemetry = _telemetry(settings, metrics, stack)
        app = create_app(directory, access, observer, telemetry, annex=annex)
        open_app = open_to(app, settings.browsers.origins)
        url = await stack.enter_async_context(hosted(open_app, sock, BoundedHeads))
        password = login.first_password if login else None
        taken = {one.name: replace(files[one.name], engine=one.engine) for one in engines.seen()}
        yield Service(f"{url}/v1", settings, taken, directory, replicated, password)


def providers_elsewhere(settings: Settings) -> dict[str, Provider]:
    """The providers that the settings name, by name.

    Raises:
        ConfigError: the key of one can't be had.
    """
    return {name: provider_elsewhere(name, table) for name, table in settings.providers.items()}


def check_provenance(settings: Settings) -> None:
    """Sign a picture on trial, if pictures are to be signed.

    Raises:
        ConfigError: it can't be signed by what the settings name.
    """
    if settings.provenance is None:
        return
    from archipel.images.signing import open_signer  # Pillow and the library that signs

    open_signer(settings.provenance.certificate_file, settings.provenance.key_file)


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
) -> tuple[Access, Observer, Login | None]:
    """Who may ask, who looks at answers, how people log in; it all runs until the stack ends."""
    if settings.accounts is None:
        return (
            OneKeyAccess(api_key) if api_key else LocalAccess(settings.browsers.origins),
            Nobody(),
            None,
        )
    database = open_accounts(settings.accounts.database)
    stack.callback(database.close)
    await stack.enter_async_context(following(database, directory))
    meter = Meter(database, metrics=metrics)
    await stack.enter_async_context(meter.writing())
    pepper, most = read_pepper(), settings.accounts.answer_tokens
    keeper = Keeper(database, Seal(pepper))
    await stack.enter_async_context(keeper.purging())
    observer = Several([Shadows(database, directory), keeper])
    login = await stack.enter_async_context(
        opened_login(database, pepper, settings.login, settings.oidc)
    )
    return AccountAccess(database, meter, pepper, most, {}, metrics=metrics), observer, login


def _telemetry(settings: Settings, metrics: Metrics, stack: contextlib.AsyncExitStack) -> Telemetry:
    """What is told of requests; what is left of it is sent when the stack ends."""
    if settings.traces is None:
        return Telemetry(metrics, settings.logs.requests)
    try:
        from archipel.serve.traces import Traces
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"[traces] needs OpenTelemetry ({error}). `pip install 'archipel[traces]'` has it."
        ) from error
    traces = Traces(settings.traces.otlp.rstrip("/"), settings.traces.share)
    stack.push_async_callback(asyncio.to_thread, traces.close)
    return Telemetry(metrics, settings.logs.requests, traces)


async def _pages(
    settings: Settings, login: Login, ward: Ward, stack: contextlib.AsyncExitStack
) -> Sequence[BaseRoute]:
    """Of the login and of the administrators; what they need runs until the stack ends."""
    assert settings.accounts is not None
    await stack.enter_async_context(ward.recent.looking())
    studies = replace(login.door, threads=stack.enter_context(ThreadPoolExecutor(_STUDIES)))
    return [*login.pages, admin_page(Desk(login.door, studies, ward, settings.accounts.currency))]


def _annex(settings: Settings, access: Access) -> Annex:
    """Files and batches, if the settings want them."""
    if settings.files is None or settings.accounts is None:
        return NO_ANNEX
    from archipel.serve.batches.opened import files_and_batches  # 6 MB

    assert isinstance(access, AccountAccess)
    share, parallel = settings.accounts.batch_price_share, settings.batches.parallel
    return files_and_batches(access, settings.files, parallel=parallel, batch_price_share=share)


def _marks(table: ModelTable, weights: Weights) -> Marks | None:
    """By which a model that runs here fills gaps, if it does."""
    if table.gaps == "none" or table.pooling or weights.engine == "pictures":
        return None
    return FAMILIES[table.gaps] if table.gaps else find_marks(Path(weights.path))


def _further(weights: Weights, marks: Marks | None) -> list[Ability]:
    """What a model that runs here can do beside chatting."""
    fills: list[Ability] = ["fill"] if marks else []
    return [*fills, "sight"] if weights.sees else fills


def _engines(settings: Settings, files: Mapping[str, Weights]) -> Engines:
    made = {}
    for name, weights in files.items():
        table = settings.models[name]
        cores, provenance = config.usable_cores(), settings.provenance
        how = launch(name, table, weights, cores, provenance=provenance)
        stay = Stay(table.load == "start", table.idle_seconds, table.pinned)
        made[name] = Engine(name, how), stay
    gigabytes = settings.engines.memory_gigabytes
    return Engines(made, int(gigabytes * 1e9) if gigabytes else None)
