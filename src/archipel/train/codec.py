"""Codecs: fp32 vector ↔ bytes. The error that one makes is its caller's to carry on.

Decoding is NumPy on the CPU only: every site gets the same bits. Knows nothing about rounds.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from archipel.errors import ConfigError, IntegrityError
from archipel.train.fragments import Vector

_BLOCK = 256
_SMALLEST_SCALE = np.float32(1e-30)  # below, its inverse would overflow; such a block is zero


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
        """A commit: the mean of contributions (tokens, payload), weighted by their tokens, plus
        `residual`; and the error that its encoding leaves, None where it is exact.

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


class _Dense:
    """A commit is the mean, written like a contribution."""

    feedback_decay = 1.0

    def encode(self, values: Vector) -> bytes:
        raise NotImplementedError

    def decode(self, payload: bytes | memoryview, values: int) -> Vector:
        raise NotImplementedError

    def combine(
        self, parts: Sequence[tuple[int, bytes]], residual: Vector | None, values: int
    ) -> tuple[bytes, Vector | None]:
        update = np.zeros(values, np.float32)
        tokens = sum(weight for weight, _ in parts)
        for weight, payload in parts:
            update += self.decode(payload, values) * np.float32(weight / tokens)
        if residual is not None:
            update += residual
        encoded = self.encode(update)
        return encoded, update - self.decode(encoded, values)

    def decode_commit(self, payload: bytes | memoryview, values: int) -> Vector:
        return self.decode(payload, values)


class Uncompressed(_Dense):
    """No compression; 32 bits a value."""

    name = "none"

    def encode(self, values: Vector) -> bytes:
        return _finite(values).astype("<f4").tobytes()

    def decode(self, payload: bytes | memoryview, values: int) -> Vector:
        _check_length(self.name, payload, 4 * values)
        return _finite(np.frombuffer(payload, "<f4").astype(np.float32))


class Int8Blocks(_Dense):
    """Blocks of 256 values, each an int8 times its block's fp32 scale; 8.125 bits a value."""

    name = "int8"

    def encode(self, values: Vector) -> bytes:
        blocks = -(-len(values) // _BLOCK)
        padded = np.zeros((blocks, _BLOCK), np.float32)
        padded.reshape(-1)[: len(values)] = values
        scales = np.maximum(padded.max(axis=1), -padded.min(axis=1)) / np.float32(127)
        _finite(scales)  # as good as all values: a block's largest is among them
        scales[scales < _SMALLEST_SCALE] = 0
        padded *= np.divide(1, scales, out=np.zeros_like(scales), where=scales > 0)[:, None]
        codes = np.rint(padded, out=padded).astype(np.int8)
        return b"".join(
            (scales.astype("<f4").tobytes(), codes.reshape(-1)[: len(values)].tobytes())
        )

    def decode(self, payload: bytes | memoryview, values: int) -> Vector:
        blocks = -(-values // _BLOCK)
        _check_length(self.name, payload, 4 * blocks + values)
        scales = _finite(np.frombuffer(payload, "<f4", count=blocks).astype(np.float32))
        decoded = np.zeros((blocks, _BLOCK), np.float32)
        decoded.reshape(-1)[:values] = np.frombuffer(payload, np.int8, offset=4 * blocks)
        decoded *= scales[:, None]
        return decoded.reshape(-1)[:values]


_CODECS: dict[str, Codec] = {codec.name: codec for codec in (Uncompressed(), Int8Blocks())}


def codec_named(name: str) -> Codec:
    """The codec of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in _CODECS:
        raise ConfigError(f"unknown codec {name!r}: take one of {', '.join(sorted(_CODECS))}")
    return _CODECS[name]


def _check_length(name: str, payload: bytes | memoryview, expected: int) -> None:
    if len(payload) != expected:
        raise IntegrityError(f"an {name} payload has {len(payload)} bytes instead of {expected}")


def _finite(values: Vector) -> Vector:
    if not np.isfinite(values).all():
        raise IntegrityError("a vector or payload holds numbers that are not finite")
    return values
