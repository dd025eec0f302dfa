"""Codecs: fp32 vector ↔ bytes. The error that one makes is its caller's to carry on.

Decoding is NumPy on the CPU only: every site gets the same bits. Knows nothing about rounds.
"""

from collections.abc import Sequence
from typing import Protocol

from archipel.errors import ConfigError
from archipel.train.codecs.dense import Int8, Uncompressed
from archipel.train.codecs.int4 import Int4
from archipel.train.codecs.sparse import Sparse
from archipel.train.fragments import Vector


class Codec(Protocol):
    """One way to write a vector as bytes."""

    name: str
    feedback_decay: float
    """The share of its encoding's error that a site carries to its next contribution."""

    def encode(self, values: Vector) -> bytes:
        """A contribution: the vector, fp32[n], as bytes.

        Raises:
            IntegrityError: a number is not finite.
        """
        ...

    def decode(self, payload: bytes | memoryview, values: int) -> Vector:
        """The vector of `values` numbers that a contribution stands for.

        Raises:
            IntegrityError: the payload has another length, or numbers that are not finite.
        """
        ...

    def combine(
        self, parts: Sequence[tuple[int, bytes]], residual: Vector | None, values: int
    ) -> tuple[bytes, Vector | None]:
        """A commit: the mean of contributions (weight, payload) plus `residual`; and the error
        that its encoding leaves, None where it is exact.

        Raises:
            IntegrityError: a payload is not valid.
        """
        ...

    def decode_commit(self, payload: bytes | memoryview, values: int) -> Vector:
        """The update that a commit stands for: the same bits on every machine.

        Raises:
            IntegrityError: the payload is not valid.
        """
        ...


_CODECS: dict[str, Codec] = {
    codec.name: codec for codec in (Uncompressed(), Int8(), Int4(), Sparse())
}


def codec_named(name: str) -> Codec:
    """The codec of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in _CODECS:
        raise ConfigError(f"unknown codec {name!r}: take one of {', '.join(sorted(_CODECS))}")
    return _CODECS[name]
