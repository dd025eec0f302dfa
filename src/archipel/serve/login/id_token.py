"""An ID token: is it signed by the provider, for this service, for this very login? Pure.

Only algorithms with a public key are known here: neither `none`, nor one where the public key
could be taken for a shared secret.
"""

import contextlib
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, KeySet

from archipel.errors import ArchipelError

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
_LEEWAY_SECONDS = 60.0  # that two machines' clocks may differ
_OLDEST_SECONDS = 600.0
_SUBJECT_CHARACTERS = 255
_KEYS = 64
_UNUSABLE = (JoseError, SecurityWarning, ValueError, TypeError, KeyError)


class LoginRefused(ArchipelError):
    """A login that can't be accepted; the message is for the log."""


class UnknownKey(LoginRefused):
    """It is signed by a key that is not known: the provider may have changed its keys."""


@dataclass(frozen=True)
class Expected:
    """What a token must be for."""

    issuer: str
    client_id: str
    nonce: str


def read_keys(found: Any) -> KeySet:
    """The public keys of a provider's document; those that can't be used are left out.

    Raises:
        LoginRefused: it is no such document, or has too many.
    """
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list) or len(listed) > _KEYS:
        raise LoginRefused("the provider's keys are no list of at most 64 keys")
    keys = []
    for data in listed:
        if not isinstance(data, dict) or data.get("kty") not in ("RSA", "EC", "OKP"):
            continue
        if data.get("use", "sig") != "sig" or not isinstance(data.get("kid", ""), str):
            continue
        with warnings.catch_warnings(), contextlib.suppress(*_UNUSABLE):
            warnings.simplefilter("error", SecurityWarning)  # of RSA keys below 2048 bits
            keys.append(JWKRegistry.import_key(data))
    return KeySet(keys)


def check(token: str, keys: KeySet, expected: Expected, now: float) -> Mapping[str, Any]:
    """The claims of a token that holds.

    Raises:
        UnknownKey: its key is not among these.
        LoginRefused: it does not hold.
    """
    try:
        claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
    except InvalidKeyIdError as error:
        raise UnknownKey("the ID token's key is not among the provider's") from error
    except (JoseError, ValueError, TypeError) as error:
        raise LoginRefused(f"the ID token's signature: {type(error).__name__}") from error
    _check_audience(claims, expected)
    _check_times(claims, now)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _SUBJECT_CHARACTERS:
        raise LoginRefused("the ID token's sub is not a text of 1 to 255 characters")
    if not subject.isprintable():
        raise LoginRefused("the ID token's sub has signs that can't be shown")
    return claims


def _check_audience(claims: Mapping[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise LoginRefused("the ID token is from another issuer")
    audience = claims.get("aud")
    listed = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in listed:
        raise LoginRefused("the ID token is for another audience")
    if claims.get("azp", expected.client_id) != expected.client_id or (
        len(listed) > 1 and "azp" not in claims
    ):
        raise LoginRefused("the ID token is for another party than ours")
    if claims.get("nonce") != expected.nonce:
        raise LoginRefused("the ID token is for another login: its nonce is not ours")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    issued = _time(claims, "iat")
    if now >= _time(claims, "exp") + _LEEWAY_SECONDS:
        raise LoginRefused("the ID token has expired")
    if not issued - _LEEWAY_SECONDS <= now <= issued + _OLDEST_SECONDS:
        raise LoginRefused("the ID token was not issued just now")
    if "nbf" in claims and now < _time(claims, "nbf") - _LEEWAY_SECONDS:
        raise LoginRefused("the ID token does not hold yet")


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise LoginRefused(f"the ID token's {name} is no time")
    return value
