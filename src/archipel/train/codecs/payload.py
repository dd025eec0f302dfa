"""What the codecs share: checks of payloads that anybody may have written, and 16-bit scales.

A scale is a bfloat16: the upper half of a float32, so that tiny pseudo-gradients keep their size.
"""

import numpy as np

from archipel.errors import IntegrityError
from archipel.train.fragments import Vector

LIMIT = np.float32(1e30)  # no honest number comes near; sums of squares stay within float64
_LIMIT_BITS = 0x7149  # LIMIT as bfloat16, rounded down
_ROUND = np.uint32(0x7FFF)

Payload = bytes | memoryview
Halves = np.ndarray[tuple[int], np.dtype[np.uint16]]


def check_length(name: str, payload: Payload, expected: int) -> None:
    """Raise IntegrityError if the payload has another length."""
    if len(payload) != expected:
        raise IntegrityError(f"an {name} payload has {len(payload)} bytes instead of {expected}")


def check_range(largest: float | np.floating) -> None:
    """Raise IntegrityError if the largest magnitude of a vector is not a number that can be."""
    if not largest <= LIMIT:
        raise IntegrityError(
            f"a vector or payload holds numbers that are not finite, or beyond {LIMIT:.0e}"
        )


def largest_of(values: Vector) -> float:
    """The largest magnitude in a vector; NaN where there is one."""
    return float(np.maximum(values.max(initial=0), -values.min(initial=0)))


def to_halves(scales: Vector) -> Halves:
    """The nearest bfloat16 of numbers that are not negative, as bits."""
    bits = scales.view(np.uint32)
    return ((bits + _ROUND + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def from_halves(halves: Halves) -> Vector:
    """The numbers that bfloat16 bits stand for.

    Raises:
        IntegrityError: one is negative, not finite or beyond the limit.
    """
    if halves.max(initial=0) > _LIMIT_BITS:
        raise IntegrityError("a payload's scale is negative, not finite or beyond the limit")
    return (halves.astype(np.uint32) << 16).view(np.float32)
