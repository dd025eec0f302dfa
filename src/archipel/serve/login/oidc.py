"""Login at an OpenID provider: Authorization Code with PKCE, state and nonce."""

import hmac
import logging
import secrets
from dataclasses import dataclass

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from archipel.serve.accounts.people import Person
from archipel.serve.accounts.people_office import PeopleOffice
from archipel.serve.login.arrival import arrival
from archipel.serve.login.door import Door
from archipel.serve.login.id_token import LoginRefused
from archipel.serve.login.issuer import Issuer
from archipel.serve.login.once import Once
from archipel.serve.login.page import problem, shown, words

_BACK = "/login/oidc/back"
_LOGIN_SECONDS = 600
_CODE_CHARACTERS = 2048
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OidcPages:
    """The way to the provider and back; a login leads to `home`."""

    door: Door
    issuer: Issuer
    home: str

    def routes(self) -> list[BaseRoute]:
        """What the service answers for them."""
        return [
            Route("/login/oidc", shown(self.go)),
            Route(_BACK, shown(self.back)),
        ]

    async def go(self, request: Request) -> Response:
        """To the provider, with a secret in the browser that only this login knows."""
        self.door.check_place(request)
        once = Once(secrets.token_urlsafe(32))
        try:
            url = await self.issuer.login_url(once, self._back_url(request))
        except LoginRefused as error:
            return self._refused(request, error)
        response = RedirectResponse(url, 303, {"Cache-Control": "no-store"})
        self.door.set_cookie(response, self._cookie, once.cookie, _LOGIN_SECONDS)
        return response

    async def back(self, request: Request) -> Response:
        """From the provider, with a code. The secret is gone after the first try."""
        self.door.check_place(request)
        once = Once(request.cookies.get(self._cookie, ""))
        sent = request.query_params.get("state", "").encode()
        if not once.cookie or not hmac.compare_digest(sent, once.state.encode()):
            return problem(request, words(request)["not_begun_here"], 403)
        try:
            response = await self._enter(request, once)
        except LoginRefused as error:
            response = self._refused(request, error)
        self.door.set_cookie(response, self._cookie, "", 0)
        return response

    async def _enter(self, request: Request, once: Once) -> Response:
        came = request.query_params
        table = self.issuer.table
        if came.get("iss", table.issuer) != table.issuer:  # RFC 9207
            raise LoginRefused("the answer is another issuer's")
        code = came.get("code", "")
        if "error" in came or not 0 < len(code) <= _CODE_CHARACTERS:
            raise LoginRefused("the provider sent the browser back without a code")
        claims = await self.issuer.claims(code, once, self._back_url(request))
        who = arrival(table, claims)

        def come_in(connection: Connection, now: float) -> Person | None:
            return PeopleOffice(connection, f"issuer:{table.issuer}"[:128], now).come_in(who)

        response = await self.door.enter(request, come_in, self.home)
        if response is None:
            return problem(request, words(request)["disabled"], 403)
        return response

    @property
    def _cookie(self) -> str:
        return f"{self.door.cookie}-login"

    def _back_url(self, request: Request) -> str:
        return f"{self.door.origin(request)}{_BACK}"

    def _refused(self, request: Request, error: LoginRefused) -> Response:
        _log.warning("a login by OpenID was refused: %s", error)
        return problem(request, words(request)["issuer_refused"], 502)
