"""Passwords: judged, hashed with Argon2id, compared one after another.

OWASP's first choice and its parameters, in `cryptography`, which is there for the ledger anyway:
57 ms and 19 MiB each, without holding the interpreter's lock. It is loaded (6 MB) at the first.
"""

import asyncio
import base64
import os
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from archipel.errors import ConfigError

_LEAST_CHARACTERS = 12
_MOST_BYTES = 1024
_WAITING = 32
_KIBIBYTES, _ITERATIONS, _LANES = 19_456, 2, 1

_Result = TypeVar("_Result")


class Busy(Exception):
    """More passwords wait to be compared than there is room for."""


def new_password() -> str:
    """One that nobody can guess: 120 bits."""
    return secrets.token_urlsafe(15)


def hashed(password: str) -> str:
    """What the database holds instead of the password, with salt and parameters.

    Raises:
        ConfigError: the password is too short or too long.
    """
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    if len(password) < _LEAST_CHARACTERS or not _is_bounded(password):
        raise ConfigError(
            f"a password has at least {_LEAST_CHARACTERS} characters and at most {_MOST_BYTES} "
            "bytes. Several words that have nothing to do with each other are easy to keep."
        )
    salt = secrets.token_bytes(16)
    kdf = Argon2id(
        salt=salt, length=32, iterations=_ITERATIONS, lanes=_LANES, memory_cost=_KIBIBYTES
    )
    return kdf.derive_phc_encoded(_normal(password))


def matches(password: str, known: str) -> bool:
    """Whether `known` was made of this password; takes as long for any that is not."""
    from cryptography.exceptions import InvalidKey
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    try:
        Argon2id.verify_phc_encoded(_normal(password), known)
    except InvalidKey:
        return False
    return True


@dataclass
class Comparer:
    """Compares passwords one after another in a thread of its own, so that nobody can keep more
    than one core busy, or fill the memory, by sending wrong ones."""

    thread: ThreadPoolExecutor
    _nobodys: str = field(default_factory=lambda: _phc(os.urandom(16), os.urandom(32)))
    _waiting: int = 0

    async def matches(self, password: str, known: str | None) -> bool:
        """Whether `known` was made of this password; None is nobody's, and takes as long.

        Raises:
            Busy: too many wait already.
        """
        bounded = password if _is_bounded(password) else ""
        same = await self._run(lambda: matches(bounded, known or self._nobodys))
        return same and known is not None

    async def hashed(self, password: str) -> str:
        """As the function.

        Raises:
            Busy: too many wait already.
            ConfigError: the password is too short or too long.
        """
        return await self._run(lambda: hashed(password))

    async def _run(self, work: Callable[[], _Result]) -> _Result:
        if self._waiting >= _WAITING:
            raise Busy
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.thread, work)
        finally:
            self._waiting -= 1


def _is_bounded(password: str) -> bool:
    return len(password.encode(errors="surrogatepass")) <= _MOST_BYTES


def _phc(salt: bytes, digest: bytes) -> str:
    parts = (base64.b64encode(part).rstrip(b"=").decode() for part in (salt, digest))
    return "$".join(["", "argon2id", "v=19", f"m={_KIBIBYTES},t={_ITERATIONS},p={_LANES}", *parts])


def _normal(password: str) -> bytes:
    """However the keyboard composes its letters."""
    return unicodedata.normalize("NFKC", password).encode(errors="surrogatepass")
