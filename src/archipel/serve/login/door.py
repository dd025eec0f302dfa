"""Who is logged in: the cookie of a browser, checked against the database at each request.

Forms are kept from pages of other sites by two things. The cookie is SameSite=Lax (Strict would
lose it on the way back from an OpenID provider), so that a form of another site comes without it;
and a form must say that it comes from a page of ours, by `Origin` or, where a browser sends none,
by `Sec-Fetch-Site`. A page of another site can set neither.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from archipel.database import Database
from archipel.errors import DatabaseError
from archipel.hosts import LOCAL_HOSTS, is_loopback
from archipel.serve.accounts import sessions
from archipel.serve.accounts.people import Person
from archipel.serve.accounts.sessions import Session, Stay
from archipel.serve.api_error import ApiError, retry_after


@dataclass(frozen=True)
class Door:
    """The accounts, and where browsers reach them: `url`, or this machine only."""

    database: Database
    pepper: bytes
    url: str | None = None  # https://ai.example.com, without a path
    stay: Stay = field(default_factory=Stay)
    clock: Callable[[], float] = time.time

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
        try:
            found = await asyncio.to_thread(self._session, token)
        except DatabaseError as error:
            raise unreadable() from error
        if found is None:
            raise _nobody()
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

    def let_in(self, response: Response, token: str) -> None:
        """Give the browser a session's token."""
        response.set_cookie(
            self.cookie,
            token,
            max_age=int(self.stay.seconds),
            secure=self.is_secure,
            httponly=True,
            samesite="lax",
        )

    def _session(self, token: str) -> Session | None:
        now = self.clock()
        with self.database.reading() as connection:
            found = sessions.find(connection, token, self.pepper, now, self.stay)
        if found is not None and found.is_due:
            with self.database.writing() as connection:
                sessions.touch(connection, token, self.pepper, now)
        return found


def unreadable() -> ApiError:
    """What is said when the database can't be used."""
    message = "The service can't reach its accounts. Try again in a moment."
    return ApiError(503, message, "accounts_unavailable", headers=retry_after(5))


def _nobody() -> ApiError:
    return ApiError(401, "Nobody is logged in. Log in at /login.", "not_logged_in")
