"""Web applications in this process: a port to listen on, a server for it, the signal to end."""

import asyncio
import contextlib
import errno
import logging
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

from archipel.errors import ConfigError

log = logging.getLogger(__name__)

_GRACE_SECONDS = 3


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: several servers share this process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int, option: str = "--port") -> socket.socket:
    """A listening socket; port 0 takes any free one. `option` is what the error tells to change.

    Raises:
        ConfigError: the port is taken or the address is not this machine's.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        sock = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"port {port} is taken by another program. Choose another with {option}."
        else:
            message = (
                f"can't listen on {host}:{port} ({error.strerror}). Check the host and {option}."
            )
        raise ConfigError(message) from error
    # asyncio turns Nagle's algorithm off, which holds a second write back for 40 ms, only on
    # sockets that name their protocol.
    return socket.socket(family, sock.type, socket.IPPROTO_TCP, fileno=sock.detach())


def give_way() -> None:
    """Let what computes on this machine go on when something comes: this thread then waits for a
    core that is free, or for its turn. An engine's threads wait for one another at every layer, so
    that a piece of a stream passed on at once, in 0.2 ms, would cost them all that. Threads and
    processes that are started later are not bound by it; where there is no such policy, or none may
    be chosen, nor is this one.
    """
    if not hasattr(os, "SCHED_BATCH"):
        return
    policy = os.SCHED_BATCH | os.SCHED_RESET_ON_FORK
    try:
        os.sched_setscheduler(0, policy, os.sched_param(0))
    except PermissionError:
        log.warning(
            "models that run here lose some of their speed: this process may not give way to them "
            "(sched_setscheduler was refused). Under systemd take out RestrictRealtime=yes"
        )


def url_of(sock: socket.socket) -> str:
    """The URL under which this machine reaches what listens on `sock`."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextlib.asynccontextmanager
async def hosted(
    app: ASGIApp, sock: socket.socket, http: type[asyncio.Protocol] | Literal["auto"] = "auto"
) -> AsyncIterator[str]:
    """Serve `app` on `sock` for the time of the block; gives its URL. `http` is a connection."""
    _allow_connections()
    server = _Server(
        uvicorn.Config(
            app,
            http=http,
            log_config=None,
            access_log=False,
            lifespan="on",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        yield url_of(sock)
    finally:
        server.should_exit = True
        await serving


def _allow_connections() -> None:
    """As many open files as the system lets this user have: each connection is one, and most shells
    allow 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def stop_event() -> asyncio.Event:
    """Set by SIGINT or SIGTERM, from now on; a second one has its usual effect."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop() -> None:
        stopped.set()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, stop)
    return stopped
