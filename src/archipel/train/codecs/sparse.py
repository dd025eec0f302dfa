"""Codec `sparse`: of every 4,096 values the 64 largest, each as a sign and one of two magnitudes.

After SparseLoCo (arXiv 2508.15706): it needs error feedback, with decay 0.95. A chunk takes 84
bytes, so 0.164 bits a value; plane after plane, all chunks of each:

    lower and upper magnitude   2 × bfloat16
    positions, Elias–Fano       128 bits, of which bit high[i] + i is set for each of 64 positions,
                                and the 6 low bits of each
    signs, magnitudes           2 × 64 bits

A last chunk that is shorter counts as filled up with zeros. A commit holds its contributions with
their weights, so that every site works out their mean without another loss.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from archipel.errors import IntegrityError
from archipel.train.codecs.payload import (
    Payload,
    check_length,
    check_range,
    from_halves,
    to_halves,
)
from archipel.train.fragments import Vector

_CHUNK = 4096
_KEPT = 64
_LOW_BITS = 6  # log2(_CHUNK / _KEPT)
_CHUNK_BYTES = 84
_SLAB_CHUNKS = 16  # worked on at once: 256 KiB of fp32, within a core's cache
_COUNT = struct.Struct("<I")
_WEIGHT = struct.Struct("<Q")

Bits = np.ndarray[tuple[int, int], np.dtype[np.uint8]]
Places = np.ndarray[tuple[int, int], np.dtype[np.int64]]
Magnitudes = np.ndarray[tuple[int, int], np.dtype[np.float32]]


@dataclass(frozen=True)
class _Kept:
    """What is kept of a vector: places in it, rising within each chunk, and the values there."""

    places: Places
    values: Magnitudes


class Sparse:
    """0.164 bits a value."""

    name = "sparse"
    feedback_decay = 0.95

    def encode(self, values: Vector) -> bytes:
        """As in `Codec`."""
        chunks = -(-len(values) // _CHUNK)
        planes = [np.empty((chunks, size), np.uint8) for size in (2, 2, 16, 48, 8, 8)]
        for start in range(0, chunks, _SLAB_CHUNKS):
            slab = _chunked(values[start * _CHUNK : (start + _SLAB_CHUNKS) * _CHUNK])
            for plane, part in zip(planes, _encode_chunks(slab), strict=True):
                plane[start : start + _SLAB_CHUNKS] = part
        return b"".join(plane.tobytes() for plane in planes)

    def decode(self, payload: Payload, values: int) -> Vector:
        """As in `Codec`."""
        kept = _read(payload, values)
        decoded = np.zeros(-(-values // _CHUNK) * _CHUNK, np.float32)
        decoded[kept.places] = kept.values
        return decoded[:values]

    def combine(
        self, parts: Sequence[tuple[int, bytes]], residual: Vector | None, values: int
    ) -> tuple[bytes, Vector | None]:
        """As in `Codec`: exact, so that there is never a residual."""
        assert residual is None
        head = [_COUNT.pack(len(parts)), *(_WEIGHT.pack(weight) for weight, _ in parts)]
        return b"".join([*head, *(payload for _, payload in parts)]), None

    def decode_commit(self, payload: Payload, values: int) -> Vector:
        """As in `Codec`."""
        weights, parts = _split(payload, -(-values // _CHUNK) * _CHUNK_BYTES)
        mean = np.zeros(-(-values // _CHUNK) * _CHUNK, np.float32)
        for weight, part in zip(weights, parts, strict=True):
            kept = _read(part, values)
            mean[kept.places] += kept.values * weight  # no place is twice in one contribution
        return mean[:values]


def _chunked(values: Vector) -> Magnitudes:
    """The values as [chunks, 4096]; a short last chunk filled up with zeros."""
    if len(values) % _CHUNK == 0:
        return values.reshape(-1, _CHUNK)
    padded = np.zeros(-(-len(values) // _CHUNK) * _CHUNK, np.float32)
    padded[: len(values)] = values
    return padded.reshape(-1, _CHUNK)


def _encode_chunks(chunks: Magnitudes) -> list[Bits]:
    """The six planes of [chunks, 4096] values."""
    count = len(chunks)
    flat = np.flatnonzero(_largest(chunks))
    kept = chunks.reshape(-1)[flat].reshape(count, _KEPT)
    positions = (flat & (_CHUNK - 1)).reshape(count, _KEPT)
    magnitudes = np.abs(kept)
    check_range(magnitudes.max())
    lower, upper, threshold = _two_levels(magnitudes)
    unary = np.zeros((count, 2 * _KEPT), np.uint8)
    places = (positions >> _LOW_BITS) + np.arange(_KEPT)
    np.put_along_axis(unary, places, 1, axis=1)
    return [
        to_halves(lower).astype("<u2").view(np.uint8).reshape(count, 2),
        to_halves(upper).astype("<u2").view(np.uint8).reshape(count, 2),
        np.packbits(unary, axis=1, bitorder="little"),
        _pack_low((positions & (_CHUNK // _KEPT - 1)).astype(np.uint8)),
        np.packbits(kept < 0, axis=1, bitorder="little"),
        np.packbits(magnitudes >= threshold[:, None], axis=1, bitorder="little"),
    ]


def _largest(chunks: Magnitudes) -> np.ndarray:
    """Where the 64 largest magnitudes of each chunk are; of equal ones the first. A NaN is large.

    As integers: the bits of a magnitude are ordered like the magnitude, and partition faster.
    """
    bits = chunks.view(np.int32) & np.int32(0x7FFFFFFF)
    least = np.partition(bits, _CHUNK - _KEPT, axis=1)[:, _CHUNK - _KEPT, None]
    mask = bits >= least
    tied = np.flatnonzero(np.count_nonzero(mask, axis=1) > _KEPT)
    if len(tied):
        above, equal = bits[tied] > least[tied], bits[tied] == least[tied]
        lacking = _KEPT - np.count_nonzero(above, axis=1)[:, None]
        mask[tied] = above | (equal & (np.cumsum(equal, axis=1) <= lacking))
    return mask


def _two_levels(magnitudes: Magnitudes) -> tuple[Vector, Vector, Vector]:
    """The two levels that come closest to each row's magnitudes, and where the upper one begins.

    Two-means in one dimension, exact: of all 63 splits of the sorted row, the one whose groups'
    means hold the most energy.
    """
    rising = np.sort(magnitudes, axis=1)
    sums = np.cumsum(rising, axis=1, dtype=np.float64)
    below = sums[:, :-1]
    above = sums[:, -1:] - below
    sizes = np.arange(1, _KEPT)
    split = np.argmax(below**2 / sizes + above**2 / (_KEPT - sizes), axis=1)
    rows = np.arange(len(rising))
    lower = below[rows, split] / (split + 1)
    upper = above[rows, split] / (_KEPT - 1 - split)
    return lower.astype(np.float32), upper.astype(np.float32), rising[rows, split + 1]


def _pack_low(low: Bits) -> Bits:
    """Four 6-bit numbers in three bytes: [chunks, 64] as [chunks, 48]."""
    a, b, c, d = (low[:, place::4] for place in range(4))
    packed = np.empty((len(low), _KEPT // 4, 3), np.uint8)
    packed[:, :, 0] = a | b << 6
    packed[:, :, 1] = b >> 2 | c << 4
    packed[:, :, 2] = c >> 4 | d << 2
    return packed.reshape(len(low), -1)


def _unpack_low(packed: Bits) -> Bits:
    """The inverse of `_pack_low`."""
    x, y, z = (packed[:, place::3] for place in range(3))
    low = np.empty((len(packed), _KEPT // 4, 4), np.uint8)
    low[:, :, 0] = x & 63
    low[:, :, 1] = x >> 6 | (y & 15) << 2
    low[:, :, 2] = y >> 4 | (z & 3) << 4
    low[:, :, 3] = z >> 2
    return low.reshape(len(packed), -1)


def _read(payload: Payload, values: int) -> _Kept:
    """What a contribution's payload keeps, checked."""
    chunks = -(-values // _CHUNK)
    check_length("sparse", payload, chunks * _CHUNK_BYTES)
    planes, at = [], 0
    for size in (2, 2, 16, 48, 8, 8):
        plane = np.frombuffer(payload, np.uint8, count=chunks * size, offset=at)
        planes.append(plane.reshape(chunks, size))
        at += chunks * size
    lower = from_halves(planes[0].copy().view("<u2").reshape(-1))
    upper = from_halves(planes[1].copy().view("<u2").reshape(-1))
    places = _positions(planes[2], planes[3])
    places += np.arange(0, chunks * _CHUNK, _CHUNK)[:, None]
    filled = (chunks - 1) * _CHUNK + _KEPT  # a chunk shorter than 64 keeps zeros behind its end
    if chunks and places[-1, -1] >= max(values, filled):
        raise IntegrityError(f"a sparse payload has a position behind the last of {values} values")
    signs, levels = (np.unpackbits(p, axis=1, bitorder="little") for p in planes[4:])
    magnitudes = np.where(levels, upper[:, None], lower[:, None])
    return _Kept(places, np.where(signs, -magnitudes, magnitudes))


def _positions(unary: Bits, low: Bits) -> Places:
    """The positions within each chunk, [chunks, 64], rising."""
    ones = np.unpackbits(unary, axis=1, bitorder="little")
    if not (np.count_nonzero(ones, axis=1) == _KEPT).all() or ones[:, -1].any():
        raise IntegrityError(f"a sparse payload's chunk does not hold {_KEPT} positions")
    high = (np.flatnonzero(ones) & (2 * _KEPT - 1)).reshape(-1, _KEPT) - np.arange(_KEPT)
    positions = high << _LOW_BITS | _unpack_low(low)
    if not (np.diff(positions, axis=1) > 0).all():
        raise IntegrityError("a sparse payload holds positions that do not rise")
    return positions


def _split(payload: Payload, part_bytes: int) -> tuple[list[np.float32], list[memoryview]]:
    """The weights and the payloads of the contributions in a commit."""
    view = memoryview(payload)
    count = _COUNT.unpack_from(view)[0] if len(view) >= _COUNT.size else 0
    start = _COUNT.size + count * _WEIGHT.size
    check_length("sparse commit's", view, start + count * part_bytes)
    shares = [_WEIGHT.unpack_from(view, _COUNT.size + i * _WEIGHT.size)[0] for i in range(count)]
    if not count or not all(shares):
        raise IntegrityError("a sparse commit's payload holds a contribution of no weight, or none")
    total = sum(shares)
    weights = [np.float32(share / total) for share in shares]
    return weights, [view[start + i * part_bytes :][:part_bytes] for i in range(count)]
