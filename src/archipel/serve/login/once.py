"""The secrets of one login at an OpenID provider, all from one that only the browser has.

So the service keeps nothing of logins that were begun, and nobody can fill it with them. Each is a
hash: none tells another, nor the cookie.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass


@dataclass(frozen=True)
class Once:
    """One login; `cookie` is 256 random bits as text."""

    cookie: str

    @property
    def state(self) -> str:
        """Shows that the browser that comes back is the one that was sent."""
        return self._made("state")

    @property
    def nonce(self) -> str:
        """Shows that the ID token is for this login."""
        return self._made("nonce")

    @property
    def verifier(self) -> str:
        """Shows the provider that who brings the code is who asked for it (PKCE)."""
        return self._made("verifier")

    @property
    def challenge(self) -> str:
        """What the provider is told of the verifier before."""
        return _text(hashlib.sha256(self.verifier.encode()).digest())

    def _made(self, what: str) -> str:
        return _text(hmac.digest(self.cookie.encode(), what.encode(), "sha256"))


def _text(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
