"""Who is logged in: the cookie of a browser, checked against the database at each request.

Forms are kept from pages of other sites by two things. The cookie is SameSite=Lax (Strict would
lose it on the way back from an OpenID provider), so that a form of another site comes without it;
and a form must say that it comes from a page of ours, by `Origin` or, where a browser sends none,
by `Sec-Fetch-Site`. A page of another site can set neither.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote, unquote

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from archipel.database import Database
from archipel.errors import DatabaseError
from archipel.hosts import LOCAL_HOSTS, is_loopback
from archipel.serve.accounts import audit, sessions
from archipel.serve.accounts.people import Person
from archipel.serve.accounts.sessions import Stay
from archipel.serve.api_error import ApiError, retry_after
from archipel.serve.login.way_back import way_back

_WAY_BACK_SECONDS = 600
_Found = TypeVar("_Found")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Door:
    """The accounts, and where browsers reach them: `url`, or this machine only."""

    database: Database
    pepper: bytes
    url: str | None  # https://ai.example.com, without a path
    stay: Stay
    clock: Callable[[], float]  # seconds since the epoch
    threads: ThreadPoolExecutor  # few: what the service is asked through its API has others

    @property
    def is_secure(self) -> bool:
        """Whether browsers come by TLS."""
        return self.url is not None and self.url.startswith("https:")

    @property
    def cookie(self) -> str:
        """The cookie's name; with the prefix, no other host of the domain can set it."""
        return "__Host-archipel" if self.is_secure else "archipel"

    async def person_of(self, request: Request) -> Person:
        """Who is logged in.

        Raises:
            ApiError: nobody (401), or the database can't be read (503).
        """
        self.check_place(request)
        token = request.cookies.get(self.cookie, "")
        if not 0 < len(token) <= 64:
            raise _nobody()
        found = await self.reading(
            lambda connection: sessions.find(
                connection, token, self.pepper, self.clock(), self.stay
            )
        )
        if found is None:
            raise _nobody()
        if found.is_due:
            await self.writing(
                lambda connection, now: sessions.touch(connection, token, self.pepper, now)
            )
        return found.person

    def check_form(self, request: Request) -> None:
        """Let only a page of ours send a form.

        Raises:
            ApiError: 403, another site's did, or nobody says whose.
        """
        self.check_place(request)
        sent = request.headers.get("origin")
        if sent is None:
            ours = request.headers.get("sec-fetch-site") == "same-origin"
        else:
            ours = sent == self.origin(request)
        if not ours:
            message = f"A page of {sent or 'another site'} may not send this form."
            raise ApiError(403, message, "forbidden")

    def origin(self, request: Request) -> str:
        """Where the browser is, as it says it in `Origin`."""
        return self.url or f"http://{request.headers['host']}"

    def check_place(self, request: Request) -> None:
        """Without a `url`, answer browsers on this machine only.

        Raises:
            ApiError: 403, it is another's, or it uses a name that is not this machine's own.
        """
        if self.url is not None:
            return
        host = request.headers.get("host", "")
        peer = request.client.host if request.client else ""
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        if name not in LOCAL_HOSTS or not is_loopback(peer):
            message = (
                "People log in on the service's own machine only. To let them in from elsewhere, "
                "put a proxy with TLS before it and set url in [login]."
            )
            raise ApiError(403, message, "forbidden")

    async def enter(
        self, request: Request, who: Callable[[Connection, float], Person | None], to: str
    ) -> Response | None:
        """Log in whom `who` finds, at a time, in the transaction that begins the session, and send
        the browser on; None if it finds nobody. A session that the browser had is ended: what
        somebody else may have put there opens nothing.
        """
        before = request.cookies.get(self.cookie, "")

        def begin(connection: Connection, now: float) -> str | None:
            person = who(connection, now)
            if person is None:
                return None
            sessions.end(connection, before, self.pepper)
            audit.record(connection, now, person.actor, "person.login", {"person": person.name})
            return sessions.begin(connection, person.id, self.pepper, now, self.stay)

        token = await self.writing(begin)
        if token is None:
            return None
        response = RedirectResponse(
            self.way_back(request) or to, 303, {"Cache-Control": "no-store"}
        )
        self.set_cookie(response, self.cookie, token, int(self.stay.seconds))
        self.set_cookie(response, self._way_back_cookie, "", 0)
        return response

    def way_back(self, request: Request) -> str | None:
        """Where the login is to lead, if whoever sent the browser to it said so and it may."""
        wanted = request.query_params.get("next")
        if wanted is None:
            wanted = unquote(request.cookies.get(self._way_back_cookie, ""))
        return way_back(wanted, self.origin(request))

    def remember_way_back(self, request: Request, response: Response) -> None:
        """Keep what the URL says of it while the person logs in, wherever they do that."""
        if way := request.query_params.get("next") and self.way_back(request):
            way = quote(way, safe="")
            self.set_cookie(response, self._way_back_cookie, way, _WAY_BACK_SECONDS)

    @property
    def _way_back_cookie(self) -> str:
        return f"{self.cookie}-next"

    async def leave(self, request: Request) -> Response:
        """Log out: the session is over, wherever its token is."""
        token = request.cookies.get(self.cookie, "")
        await self.writing(lambda connection, _: sessions.end(connection, token, self.pepper))
        response = RedirectResponse("/login", 303, {"Cache-Control": "no-store"})
        self.set_cookie(response, self.cookie, "", 0)
        return response

    def set_cookie(self, response: Response, name: str, value: str, seconds: int) -> None:
        """Give the browser what no script and no form of another site can use."""
        response.set_cookie(
            name, value, seconds, secure=self.is_secure, httponly=True, samesite="lax"
        )

    async def reading(self, look: Callable[[Connection], _Found]) -> _Found:
        """What `look` finds in the accounts.

        Raises:
            ApiError: 503, they can't be read.
        """

        def run() -> _Found:
            with self.database.reading() as connection:
                return look(connection)

        return await self._in_thread(run)

    async def writing(self, act: Callable[[Connection, float], _Found]) -> _Found:
        """Do something in the accounts, in one transaction, with the time.

        Raises:
            ApiError: 503, they can't be written.
        """

        def run() -> _Found:
            with self.database.writing() as connection:
                return act(connection, self.clock())

        return await self._in_thread(run)

    async def _in_thread(self, run: Callable[[], _Found]) -> _Found:
        try:
            return await asyncio.get_running_loop().run_in_executor(self.threads, run)
        except DatabaseError as error:
            _log.error("%s", error)
            message = "The service can't reach its accounts. Try again in a moment."
            raise ApiError(503, message, "accounts_unavailable", headers=retry_after(5)) from error


def _nobody() -> ApiError:
    return ApiError(401, "Nobody is logged in. Log in at /login.", "not_logged_in")
