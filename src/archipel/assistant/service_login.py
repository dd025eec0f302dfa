"""People by the service's login: the browser's cookie, shown to the service, says who asks.

The service gives its cookie to its host; browsers give it to every port of that host, so that the
assistant gets it too. It goes on to the service and nowhere else.
"""

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from starlette.requests import Request

from archipel.assistant.api.asked import Refused
from archipel.assistant.people import Person, person_of
from archipel.hosts import LOCAL_HOSTS, is_loopback

_TIMEOUT = httpx.Timeout(5, connect=2)
_REMEMBERED_SECONDS = 15.0  # that somebody may still ask after they were logged out elsewhere
_REMEMBERED = 10_000
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_log = logging.getLogger(__name__)


class ServiceLogin:
    """Who is logged in at the service whose API is at `service_url` (…/v1), where the assistant has
    this `key`.

    `page_url` is where browsers reach the assistant and, on the same host, the service; None: both
    are on this machine. `clock` is monotonic, in seconds. Use it with `async with`.
    """

    def __init__(
        self, service_url: str, key: str, page_url: str | None, clock: Callable[[], float]
    ) -> None:
        self._key = key
        self._service = urlsplit(service_url)._replace(path="", query="", fragment="").geturl()
        self._page_url = page_url
        self._clock = clock
        self._client = httpx.AsyncClient(
            timeout=_TIMEOUT, trust_env=not is_loopback(urlsplit(service_url).hostname or "")
        )
        self._known: dict[bytes, tuple[float, Person]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def __call__(self, request: Request) -> Person:
        """Whoever the browser's cookie belongs to, as the service said some seconds ago at most.

        Raises:
            Refused: nobody is logged in (401), or the service can't say who is (503).
        """
        until, person = self._known.get(_digest(self._token(request)), (0.0, None))
        if person is not None and self._clock() < until:
            return person
        return await self.anew(request)

    async def anew(self, request: Request) -> Person:
        """The same, as the service says now: for what is lost at once, as a project's documents.

        Raises:
            Refused: nobody is logged in (401), or the service can't say who is (503).
        """
        token, now = self._token(request), self._clock()
        self._known.pop(_digest(token), None)
        person = await self._asked(token)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[_digest(token)] = now + _REMEMBERED_SECONDS, person
        return person

    def login_url(self, request: Request) -> str:
        """The service's login, under the name of this host that the browser uses: its cookie is
        that name's."""
        if self._page_url is not None:
            return f"{self._page_url}/login"
        url = urlsplit(self._service)
        name = request.url.hostname or ""
        if not is_loopback(url.hostname or "") or name not in [
            one.strip("[]") for one in LOCAL_HOSTS
        ]:
            return f"{self._service}/login"
        host = f"[{name}]" if ":" in name else name
        return f"{url.scheme}://{host}:{url.port or 80}/login"

    async def log_out(self, request: Request) -> list[str]:
        """End the session; gives the cookies (`Set-Cookie`) with which the service clears its own.

        Raises:
            Refused: the service can't do it now (503).
        """
        token = request.cookies.get(self._cookie, "")
        if not _TOKEN.fullmatch(token):
            return []
        self._known.pop(_digest(token), None)
        origin = {"Origin": self._page_url or self._service}
        response = await self._send("POST", "/logout", token, origin)
        if response.status_code != 303:
            raise _away(f"{self._service}/logout answered {response.status_code}")
        return response.headers.get_list("set-cookie")

    @property
    def _cookie(self) -> str:
        secure = self._page_url is not None and self._page_url.startswith("https:")
        return "__Host-archipel" if secure else "archipel"

    def _token(self, request: Request) -> str:
        """The cookie's token.

        Raises:
            Refused: there is none (401).
        """
        token = request.cookies.get(self._cookie, "")
        if not _TOKEN.fullmatch(token):
            raise _nobody()
        return token

    async def _asked(self, token: str) -> Person:
        response = await self._send("GET", "/admin/api/me", token, {})
        if response.status_code == 401:
            raise _nobody()
        if response.status_code in (403, 404):
            raise _misplaced(self._service, response.status_code)
        try:
            return person_of(response.raise_for_status().json(), self._key)
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _away(f"{self._service} does not say who is logged in: {error}") from error

    async def _send(
        self, method: str, path: str, token: str, headers: Mapping[str, str]
    ) -> httpx.Response:
        sent = {"Cookie": f"{self._cookie}={token}", **headers}
        try:
            return await self._client.request(method, self._service + path, headers=sent)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise _away(f"no service answers at {self._service} ({reason})") from error


def told(person: Person | None, login: str | None) -> dict[str, Any]:
    """Who asks, for the page; `login` is where to log in, None where nobody needs to. Pure."""
    if person is None:
        return {"person": None, "login": login}
    shown = {"name": person.name, "role": person.role, "projects": dict(person.projects)}
    return {"person": shown, "login": login}


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _nobody() -> Refused:
    return Refused(401, "Nobody is logged in. Log in at the service.", "not_logged_in")


def _away(reason: str) -> Refused:
    _log.warning("%s", reason)
    message = f"{reason}. Whoever is logged in stays so; try again when the service runs."
    return Refused(503, message, "login_away")


def _misplaced(service: str, status: int) -> Refused:
    if status == 404:
        message = f"{service} has no people. Start it with [accounts], or without --people here."
    else:
        message = (
            f"{service} lets people log in on its own machine only. Set url in its [login] to "
            "what browsers call it, and --page-url here to the same host."
        )
    return Refused(503, message, "login_away")
