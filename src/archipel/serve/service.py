"""The service as a whole: an engine for each model, and the gateway in front of them."""

import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx

from archipel.chat import is_loopback
from archipel.errors import ConfigError
from archipel.serve.engine import Engine, EngineSettings
from archipel.serve.gateway import create_app
from archipel.serve.hosting import hosted

# An answer that is not streamed has its first byte after its last token.
_TIMEOUT = httpx.Timeout(30, read=3600)
_NO_LIMIT = httpx.Limits(max_connections=None)


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
    models: Mapping[str, Path],
    *,
    sock: socket.socket,
    api_key: str | None,
    settings: EngineSettings,
) -> AsyncIterator[str]:
    """Serve GGUF files under their public names for the time of the block; gives the URL (…/v1).

    Raises:
        ConfigError: `sock` listens on a network and there is no key.
        ModelError: an engine can't load its model.
    """
    check_exposure(sock.getsockname()[0], api_key)
    engines = {name: Engine(name, path, settings) for name, path in models.items()}
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(sock)
        for engine in engines.values():
            await stack.enter_async_context(engine)
        client = await stack.enter_async_context(
            httpx.AsyncClient(timeout=_TIMEOUT, limits=_NO_LIMIT, trust_env=False)
        )
        url = await stack.enter_async_context(hosted(create_app(engines, client, api_key), sock))
        yield f"{url}/v1"
