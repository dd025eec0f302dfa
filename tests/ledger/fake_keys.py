"""Keys for simulations: as quick as a hash, and as good as one that nobody tries to forge."""

from collections.abc import Container
from hashlib import blake2b

from archipel.errors import IntegrityError, RunError


class FakeKeys:
    """Signs as `name`; all of `members` may take part, or everybody where it is None."""

    def __init__(self, name: str | None = None, members: Container[str] | None = None) -> None:
        self.name = name
        self._members = members

    def sign(self, message: bytes) -> bytes:
        if self.name is None:
            raise RunError("these keys are to read only")
        return _signature(self.name, message)

    def verify(self, name: str, message: bytes, signature: bytes) -> None:
        if self._members is not None and name not in self._members:
            raise IntegrityError(f"{name!r} is not a member of this run")
        if signature != _signature(name, message):
            raise IntegrityError(f"the signature is not {name}'s for this object")


def _signature(name: str, message: bytes) -> bytes:
    return blake2b(message, key=name.encode(), digest_size=64).digest()
