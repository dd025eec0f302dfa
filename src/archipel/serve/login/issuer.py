"""An OpenID provider over HTTP: where it is reached, its keys, an ID token for a code."""

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlencode

import aiohttp
from joserfc.jwk import KeySet
from pydantic_core import from_json

from archipel.serve.login.id_token import Expected, LoginRefused, UnknownKey, check, read_keys
from archipel.serve.login.once import Once
from archipel.serve.login.settings import OidcTable, is_safe

_ANSWER_SECONDS = 10.0
_ANSWER_LIMIT_BYTES = 1 << 20
_KNOWN_SECONDS = 3600.0  # that where it is reached, and its keys, are not asked for again


@dataclass(frozen=True)
class _Known:
    """What a provider says of itself."""

    authorization: str
    token: str
    keys: KeySet
    takes_basic: bool
    until: float


@dataclass
class Issuer:
    """One provider, and what is known of it. `clock` gives seconds since the epoch."""

    table: OidcTable
    secret: str | None
    session: aiohttp.ClientSession
    clock: Callable[[], float]
    _known: _Known | None = None
    _learning: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def login_url(self, once: Once, back: str) -> str:
        """Where the browser is sent to log in; it comes `back` with a code.

        Raises:
            LoginRefused: the provider can't be reached, or what it says can't be used.
        """
        known = await self._learn()
        asked = {
            "response_type": "code",
            "client_id": self.table.client_id,
            "redirect_uri": back,
            "scope": " ".join(self.table.scopes),
            "state": once.state,
            "nonce": once.nonce,
            "code_challenge": once.challenge,
            "code_challenge_method": "S256",
        }
        mark = "&" if "?" in known.authorization else "?"
        return f"{known.authorization}{mark}{urlencode(asked)}"

    async def claims(self, code: str, once: Once, back: str) -> Mapping[str, Any]:
        """Who logged in, for the code that the browser came back with.

        Raises:
            LoginRefused: the provider does not take the code, or its ID token does not hold.
        """
        known = await self._learn()
        token = await self._id_token(known, code, once, back)
        expected = Expected(self.table.issuer, self.table.client_id, once.nonce)
        try:
            return check(token, known.keys, expected, self.clock())
        except UnknownKey:  # it may have new ones; nobody but the provider can make us ask
            self._known = None
            known = await self._learn()
            return check(token, known.keys, expected, self.clock())

    async def _learn(self) -> _Known:
        async with self._learning:
            if self._known is None or self.clock() >= self._known.until:
                self._known = await self._ask()
            return self._known

    async def _ask(self) -> _Known:
        url = f"{self.table.issuer.rstrip('/')}/.well-known/openid-configuration"
        found = await self._json("GET", url)
        if found.get("issuer") != self.table.issuer:
            raise LoginRefused(f"{url} is another issuer's: write oidc.issuer as it does")
        keys = read_keys(await self._json("GET", _place(found, "jwks_uri")))
        ways = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return _Known(
            _place(found, "authorization_endpoint"),
            _place(found, "token_endpoint"),
            keys,
            takes_basic="client_secret_basic" in ways,
            until=self.clock() + _KNOWN_SECONDS,
        )

    async def _id_token(self, known: _Known, code: str, once: Once, back: str) -> str:
        sent = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": once.verifier,
        }
        headers = {}
        if self.secret is not None and known.takes_basic:  # RFC 6749, 2.3.1
            pair = f"{quote_plus(self.table.client_id)}:{quote_plus(self.secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            sent["client_id"] = self.table.client_id
            if self.secret is not None:
                sent["client_secret"] = self.secret
        found = await self._json("POST", known.token, data=sent, headers=headers)
        token = found.get("id_token")
        if not isinstance(token, str):
            raise LoginRefused("the provider gave no ID token")
        return token

    async def _json(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        """A JSON object; what else the provider says goes nowhere, it may hold secrets."""
        try:
            async with (
                asyncio.timeout(_ANSWER_SECONDS),
                self.session.request(method, url, allow_redirects=False, **more) as answer,
            ):
                body = bytearray()
                async for chunk in answer.content.iter_any():
                    body += chunk
                    if len(body) > _ANSWER_LIMIT_BYTES:
                        raise LoginRefused(f"{url} answered more than 1 MiB")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise LoginRefused(f"{url} can't be reached: {type(error).__name__}") from error
        if answer.status != 200:
            raise LoginRefused(f"{url} answered {answer.status}")
        try:
            found = from_json(bytes(body))
        except ValueError as error:
            raise LoginRefused(f"{url} did not answer JSON") from error
        if not isinstance(found, dict):
            raise LoginRefused(f"{url} did not answer an object")
        return found


def _place(found: Mapping[str, Any], name: str) -> str:
    url = found.get(name)
    if not isinstance(url, str) or not is_safe(url):
        raise LoginRefused(f"the provider's {name} is not an https URL")
    return url
