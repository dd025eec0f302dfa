"""An OpenID provider with real signatures whose tokens the test may spoil."""

import base64
import contextlib
import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.jwk import Key, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.serve.scripted import hosted_in_thread

CLIENT, SECRET = "archipel", "the client's secret"
_KEY = RSAKey.generate_key(2048, {"kid": "first"})
Claims = dict[str, Any]


@dataclass
class Provider:
    """Logs in `person` without asking; `spoil` and `sign` make its ID tokens."""

    url: str = ""
    person: Claims = field(default_factory=lambda: {"sub": "1", "preferred_username": "marie"})
    spoil: Callable[[Claims], Claims] = lambda claims: claims
    sign: Callable[[Claims], str] | None = None
    key: Key = field(default_factory=lambda: _KEY)
    published: list[Key] = field(default_factory=lambda: [_KEY])
    told: Claims = field(default_factory=dict)  # instead of what it says of itself
    codes: dict[str, Claims] = field(default_factory=dict)
    asked_keys: int = 0
    issued: list[str] = field(default_factory=list)

    async def configuration(self, request: Request) -> Response:
        said = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }
        return JSONResponse(said | self.told)

    async def keys(self, request: Request) -> Response:
        self.asked_keys += 1
        return JSONResponse({"keys": [key.as_dict(private=False) for key in self.published]})

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?code={code}&state={asked['state']}", 302)

    async def token(self, request: Request) -> Response:
        form = await request.form()
        asked = self.codes.pop(str(form["code"]), None)
        basic = base64.b64encode(f"{CLIENT}:the+client%27s+secret".encode()).decode()
        verifier = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        if (
            asked is None
            or request.headers.get("authorization") != f"Basic {basic}"
            or form["redirect_uri"] != asked["redirect_uri"]
            or base64.urlsafe_b64encode(verifier).decode().rstrip("=") != asked["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "iat": int(time.time()),
            "exp": int(time.time()) + 300,
            "nonce": asked["nonce"],
            **self.person,
        }
        token = (self.sign or self._sign)(self.spoil(claims))
        self.issued.append(token)
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": token})

    def _sign(self, claims: Claims) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)


@contextlib.contextmanager
def provider() -> Iterator[Provider]:
    its = Provider()
    app = Starlette(
        routes=[
            Route("/.well-known/openid-configuration", its.configuration),
            Route("/keys", its.keys),
            Route("/authorize", its.authorize),
            Route("/token", its.token, methods=["POST"]),
        ]
    )
    with hosted_in_thread(app) as its.url:
        yield its
