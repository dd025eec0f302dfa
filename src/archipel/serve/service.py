"""The service as a whole: an engine for each model that runs here, and the gateway before all."""

import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from archipel.chat import is_loopback
from archipel.errors import ConfigError
from archipel.serve.engine import Engine, EngineSettings
from archipel.serve.gateway import create_app
from archipel.serve.hosting import hosted
from archipel.serve.providers import EngineProvider, Provider, provider_elsewhere
from archipel.serve.settings import ModelTable, Settings


def check_exposure(host: str, api_key: str | None) -> None:
    """Refuse to open the service to a network without a key.

    Raises:
        ConfigError: `host` is not this machine's own and there is no key.
    """
    if api_key is None and not is_loopback(host):
        raise ConfigError(
            f"--host {host} opens the service to the network without a key. Put one into a file "
            "and give --api-key-file, or set ARCHIPEL_API_KEY."
        )


@contextlib.asynccontextmanager
async def service(
    settings: Settings, files: Mapping[str, Path], *, sock: socket.socket, api_key: str | None
) -> AsyncIterator[str]:
    """Answer for all public names of the settings for the time of the block; gives the URL (…/v1).

    `files` are the GGUF files of the models that run here.

    Raises:
        ConfigError: `sock` listens on a network and there is no key; a provider's key is lacking.
        ModelError: an engine can't load its model.
    """
    check_exposure(sock.getsockname()[0], api_key)
    providers = providers_elsewhere(settings)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(sock)
        for name, table in settings.models.items():
            engine = Engine(name, files[name], _engine_settings(table))
            providers[name] = EngineProvider(await stack.enter_async_context(engine))
        app = create_app(settings.policies(), providers, api_key)
        url = await stack.enter_async_context(hosted(app, sock))
        yield f"{url}/v1"


def providers_elsewhere(settings: Settings) -> dict[str, Provider]:
    """The providers that the settings name, by name.

    Raises:
        ConfigError: the key of one can't be had.
    """
    return {name: provider_elsewhere(name, table) for name, table in settings.providers.items()}


def _engine_settings(table: ModelTable) -> EngineSettings:
    return EngineSettings(table.context, table.parallel, table.threads)
