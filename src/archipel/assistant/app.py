"""The assistant's web application: the page, and the calls that it makes.

Talks to an OpenAI-compatible service; knows nothing about how that service works. The service's key
stays here: the browser never sees it.
"""

import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib.resources import files
from urllib.parse import urlsplit

from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as AsgiMessage

from archipel import config
from archipel.assistant.answers import Answers
from archipel.assistant.api.actions import Actions
from archipel.assistant.api.asked import answered
from archipel.assistant.api.connect import Connect
from archipel.assistant.api.conversations import Conversations
from archipel.assistant.api.documents import Documents
from archipel.assistant.api.files import Files
from archipel.assistant.api.me import Me
from archipel.assistant.api.pictures import Pictures
from archipel.assistant.api.preferences import PreferencesCalls
from archipel.assistant.api.transfer import Transfer
from archipel.assistant.api.turns import Turns
from archipel.assistant.connect.snippets import api_address
from archipel.assistant.connect.trial import Trial
from archipel.assistant.desk import Desk
from archipel.assistant.history import messages, pictures, preferences
from archipel.assistant.library import documents
from archipel.assistant.library.meaning import Meaning
from archipel.assistant.library.shelf import Shelf
from archipel.assistant.library.taking import Taking
from archipel.assistant.makers import Makers
from archipel.assistant.offers import Offers, shown
from archipel.assistant.people import WhoAsks, alone
from archipel.assistant.service_login import ServiceLogin
from archipel.chat import ChatService
from archipel.hosts import LOCAL_HOSTS, is_loopback

_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
_OPENED = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}
# Scripts and styles obey the policy of the page that loads them; opened, they are plain text.
_NEVER_OPENED = ("text/javascript", "text/css")


@dataclass(frozen=True)
class Models:
    """The service's models, as the page chooses among them."""

    service: ChatService
    offers: Offers
    desk: Desk
    who: WhoAsks

    async def listed(self, request: Request) -> Response:
        """The names to choose from, the one that the person prefers, where the service is, and what
        it tells `about` each."""
        owner = (await self.who(request)).owner
        host = urlsplit(self.service.url).hostname or ""
        prefers = await self.desk.reading(lambda c: preferences.find(c, owner))
        offers = await self.offers.listed()
        return JSONResponse(
            {
                "models": [offer.name for offer in offers],
                "preferred": prefers.model,
                "about": {offer.name: shown(offer) for offer in offers},
                "host": host,
                "local": is_loopback(host),
            }
        )


class _SafeHeaders:
    """Adds `_HEADERS` to every response that has not its own, streams too, which pass through
    untouched; and `_OPENED` to all that a browser could open as a document."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: AsgiMessage) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                kind = headers.get("content-type", "").partition(";")[0]
                added = _HEADERS if kind in _NEVER_OPENED else _HEADERS | _OPENED
                for name, value in added.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _tidy(connection: Connection, now: float) -> None:
    """What the program that ran before left."""
    messages.cut_off(connection)
    pictures.forget_unsent(connection, now)
    documents.cut_off(connection)


def create_app(
    service: ChatService,
    desk: Desk,
    who: WhoAsks = alone,
    page_url: str | None = None,
    folders: Files | None = None,
) -> Starlette:
    """The assistant over an OpenAI-compatible service. While it runs, the service, the desk and a
    `ServiceLogin` by which it knows who asks are its own: it closes them. `page_url` is where
    browsers reach it through a proxy; None: on this machine only. With `folders` whoever reaches
    it searches those of the person who runs it."""
    login = who if isinstance(who, ServiceLogin) else None
    is_here = page_url is None and is_loopback(urlsplit(service.url).hostname or "")
    offers = Offers(service, time.monotonic, is_here=is_here)
    who_now = login.anew if login else who
    answers = Answers(desk)
    shelf = Shelf(config.home() / "documents", Meaning(service, offers))
    makers = Makers(desk, service, offers, shelf, secrets.randbelow)
    connect = Connect(
        service, api_address(service.url, page_url), offers, who, Trial(service, time.monotonic)
    )
    turns = Turns(desk, who, who_now, answers, makers, Taking(desk, shelf))

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with service, login or contextlib.nullcontext():
            await desk.writing(_tidy)
            try:
                yield
            finally:
                await answers.close()
                await turns.close()
                await shelf.close()
                desk.close()

    routes: list[BaseRoute] = [
        *Me(login).routes(),
        Route("/api/models", answered(Models(service, offers, desk, who).listed)),
        *PreferencesCalls(desk, who).routes(),
        *Conversations(desk, who, answers).routes(),
        *turns.routes(),
        *Actions(who).routes(),
        *Pictures(desk, who).routes(),
        *Transfer(desk, who).routes(),
        *Documents(desk, who_now, shelf, has_folders=folders is not None).routes(),
        *(folders.routes() if folders else []),
        *connect.routes(),
        Mount("/", StaticFiles(directory=str(files(__package__) / "static"), html=True)),
    ]
    return Starlette(routes=routes, middleware=_middleware(page_url), lifespan=lifespan)


def _middleware(page_url: str | None) -> list[Middleware]:
    # A page of another site can point its name at 127.0.0.1, not change the Host header.
    hosts = [*LOCAL_HOSTS, *_host(page_url)]
    return [
        Middleware(_SafeHeaders),
        Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
        Middleware(GZipMiddleware, minimum_size=400, compresslevel=5),  # but no events
    ]


def _host(page_url: str | None) -> list[str]:
    return [urlsplit(page_url).hostname or ""] if page_url else []
