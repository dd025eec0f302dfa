"""The page of a run, its data as JSON, and its metrics for Prometheus. All of it only reads."""

import ipaddress
import socket
from dataclasses import dataclass
from importlib.resources import files
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from archipel.watch.document import document, shown_url
from archipel.watch.exposition import CONTENT_TYPE, exposition
from archipel.watch.feed import Feed

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class _Pages:
    """What is served of one feed."""

    feed: Feed
    url: str

    async def data(self, request: Request) -> Response:
        """The newest view; 304 to who has it already."""
        feed = self.feed
        tag = f'"{feed.version}-{hash(feed.problem):x}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        run = document(feed.view, self.url) if feed.view else None
        return JSONResponse({"run": run, "problem": feed.problem}, headers={"ETag": tag})

    async def metrics(self, request: Request) -> Response:
        """Prometheus' text format."""
        body = exposition(self.feed.view, shown_url(self.url))
        return Response(body, headers={"Content-Type": CONTENT_TYPE})


class _Guard:
    """Adds `_HEADERS` to every response, and answers only to hosts that can't be an attacker's.

    A page of another site can point a name of its own at this machine (DNS rebinding), but not at
    an address, nor change the Host header that the browser sends: so addresses, localhost and this
    machine's own names are safe.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        app = self._app
        if scope["type"] == "http" and not self._is_safe(Headers(scope=scope).get("host", "")):
            app = PlainTextResponse(
                "This page answers under this machine's own names and addresses only; "
                "allow another with --allow-host.",
                status_code=400,
            )
        await app(scope, receive, send_with_headers)

    def _is_safe(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
            if name in self._names:
                return True
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def create_app(
    feed: Feed, url: str, *, page: bool = True, hosts: tuple[str, ...] = ()
) -> Starlette:
    """Serve the run at `url` as `feed` sees it; without `page`, only /metrics.

    `hosts` are names by which this machine may be asked, besides its own.
    """
    pages = _Pages(feed, url)
    routes: list[BaseRoute] = [Route("/metrics", pages.metrics)]
    if page:
        static = StaticFiles(directory=str(files(__package__) / "static"), html=True)
        routes += [Route("/data", pages.data), Mount("/", static)]
    names = {"localhost", socket.gethostname().lower(), *(host.lower() for host in hosts)}
    return Starlette(routes=routes, middleware=[Middleware(_Guard, names=frozenset(names))])
