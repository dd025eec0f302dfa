"""Codecs that write every value, and the commit that they share: the mean, encoded once more."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from archipel.train.codecs.payload import Payload, check_length, check_range, largest_of
from archipel.train.fragments import Vector

_BLOCK = 256
_SMALLEST_SCALE = np.float32(1e-30)  # below, its inverse would overflow; such a block is zero


class Dense(ABC):
    """A commit is the weighted mean with the residual, written like a contribution."""

    name: str
    feedback_decay = 1.0

    @abstractmethod
    def encode(self, values: Vector) -> bytes:
        """As in `Codec`."""

    @abstractmethod
    def decode(self, payload: Payload, values: int) -> Vector:
        """As in `Codec`."""

    def combine(
        self, parts: Sequence[tuple[int, bytes]], residual: Vector | None, values: int
    ) -> tuple[bytes, Vector | None]:
        """As in `Codec`."""
        total = sum(weight for weight, _ in parts)
        update = np.zeros(values, np.float32)
        for weight, payload in parts:
            decoded = self.decode(payload, values)
            decoded *= np.float32(weight / total)
            update += decoded
        if residual is not None:
            update += residual
        encoded = self.encode(update)
        update -= self.decode(encoded, values)
        return encoded, update

    def decode_commit(self, payload: Payload, values: int) -> Vector:
        """As in `Codec`."""
        return self.decode(payload, values)


class Uncompressed(Dense):
    """Values as they are; 32 bits each. For reference."""

    name = "none"

    def encode(self, values: Vector) -> bytes:
        """As in `Codec`."""
        check_range(largest_of(values))
        return values.astype("<f4", copy=False).tobytes()

    def decode(self, payload: Payload, values: int) -> Vector:
        """As in `Codec`."""
        check_length(self.name, payload, 4 * values)
        decoded = np.frombuffer(payload, "<f4").astype(np.float32)
        check_range(largest_of(decoded))
        return decoded


class Int8(Dense):
    """Blocks of 256 values, each an int8 times its block's fp32 scale; 8.125 bits a value."""

    name = "int8"

    def encode(self, values: Vector) -> bytes:
        """As in `Codec`."""
        check_range(largest_of(values))
        blocks = -(-len(values) // _BLOCK)
        padded = np.zeros((blocks, _BLOCK), np.float32)
        padded.reshape(-1)[: len(values)] = values
        scales = np.maximum(padded.max(axis=1), -padded.min(axis=1)) / np.float32(127)
        scales[scales < _SMALLEST_SCALE] = 0
        padded *= np.divide(1, scales, out=np.zeros_like(scales), where=scales > 0)[:, None]
        codes = np.rint(padded, out=padded).astype(np.int8)
        return b"".join(
            (scales.astype("<f4").tobytes(), codes.reshape(-1)[: len(values)].tobytes())
        )

    def decode(self, payload: Payload, values: int) -> Vector:
        """As in `Codec`."""
        blocks = -(-values // _BLOCK)
        check_length(self.name, payload, 4 * blocks + values)
        scales = np.frombuffer(payload, "<f4", count=blocks).astype(np.float32)
        check_range(largest_of(scales))
        decoded = np.zeros((blocks, _BLOCK), np.float32)
        decoded.reshape(-1)[:values] = np.frombuffer(payload, np.int8, offset=4 * blocks)
        decoded *= scales[:, None]
        return decoded.reshape(-1)[:values]
