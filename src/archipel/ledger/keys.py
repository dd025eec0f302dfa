"""Ed25519 keys, and seals: signatures that hold for one object under one name of one run.

Knows nothing about who is a member: see `members.py`.
"""

from collections.abc import Container
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from archipel.errors import IntegrityError

OWNER = "@owner"  # how the run's owner signs; no site can be named so
SIGNATURE_BYTES = 64


class Keys(Protocol):
    """Who this process signs as, and whose signatures it knows."""

    @property
    def name(self) -> str | None:
        """The site that `sign` signs for, `OWNER`, or None where it can't."""
        ...

    def sign(self, message: bytes) -> bytes:
        """This process's signature, 64 bytes.

        Raises:
            RunError: it holds no key.
        """
        ...

    def verify(self, name: str, message: bytes, signature: bytes) -> None:
        """Make sure that `name` signed this message.

        Raises:
            IntegrityError: it did not, or nobody of that name may take part.
            StoreError: the list of members can't be read just now.
        """
        ...


@dataclass(frozen=True)
class Seal:
    """Signs and checks the objects of one run.

    What is signed is the run, the object's place in it (which holds its era and round) and its
    digest: so an object that is copied elsewhere does not verify.
    """

    run: str  # SHA-256 of run.json
    keys: Keys
    without: Container[str] = ()  # names that may no longer take part

    def sign(self, key: str, digest: bytes) -> bytes:
        """The signature of the object `key` whose SHA-256 is `digest`."""
        return self.keys.sign(self._message(key, digest, self.signer))

    def check(self, key: str, signer: str, digest: bytes, signature: bytes) -> None:
        """Make sure that `signer` put this object under this key.

        Raises:
            IntegrityError: it did not, or may not.
        """
        if signer in self.without:
            raise IntegrityError(
                f"{key} is by {signer}, which the run's owner has excluded: it does not count"
            )
        self.keys.verify(signer, self._message(key, digest, signer), signature)

    @property
    def signer(self) -> str:
        """The name that this process signs with."""
        return self.keys.name or ""

    def _message(self, key: str, digest: bytes, signer: str) -> bytes:
        return f"archipel\n{self.run}\n{key}\n{signer}\n{digest.hex()}".encode()


def new_private_key() -> str:
    """A new private key, hexadecimal."""
    return Ed25519PrivateKey.generate().private_bytes_raw().hex()


def public_key(private: str) -> str:
    """The public half of a private key, both hexadecimal.

    Raises:
        IntegrityError: it is not a key.
    """
    return _private(private).public_key().public_bytes_raw().hex()


def sign(private: str, message: bytes) -> bytes:
    """An Ed25519 signature, 64 bytes.

    Raises:
        IntegrityError: `private` is not a key.
    """
    return _private(private).sign(message)


def is_signed(public: str, message: bytes, signature: bytes) -> bool:
    """Whether the holder of the key signed this message."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _private(private: str) -> Ed25519PrivateKey:
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private))
    except ValueError as error:
        raise IntegrityError(
            "a private key is not 64 hexadecimal digits: it was cut off or altered"
        ) from error
