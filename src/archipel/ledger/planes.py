"""Lossless compression of fp32 vectors: bytes sorted by significance, then zlib where it pays.

    length u64 of the original | for each block of 256 Ki values, for each of its 4 planes:
    stored length u32, top bit: deflated | bytes

A value is first rotated left by one bit, which makes its exponent the top byte: that plane shrinks
to about a third. The mantissa's are noise, so a sample is tried first. Little-endian; a last value
of under 4 bytes is padded.
"""

import struct
import zlib

import numpy as np

from archipel.errors import IntegrityError

_BLOCK_VALUES = 256 << 10
_SAMPLE_BYTES = 8 << 10
_WORTH = 0.97  # of its length; a plane that deflates to more is stored as it is
_LEVEL = 1
_DEFLATED = 1 << 31
_TOTAL = struct.Struct("<Q")
_PLANE = struct.Struct("<I")


def compress(data: bytes | memoryview) -> bytes:
    """`data`, an fp32 vector's bytes, in fewer bytes."""
    words = np.zeros(-(-len(data) // 4), "<u4")
    words.view(np.uint8)[: len(data)] = np.frombuffer(data, np.uint8)
    pieces = [_TOTAL.pack(len(data))]
    for start in range(0, len(words), _BLOCK_VALUES):
        block = words[start : start + _BLOCK_VALUES]
        block = (block << 1 | block >> 31).view(np.uint8).reshape(-1, 4)
        for plane in range(4):
            pieces += _stored(block[:, plane].tobytes())
    return b"".join(pieces)


def expand(packed: bytes, what: str) -> bytes:
    """The inverse of `compress`; `what` names the object in the error.

    Raises:
        IntegrityError: the bytes are not such an object.
    """
    try:
        (total,) = _TOTAL.unpack_from(packed)
        at, pieces = _TOTAL.size, []
        for start in range(0, -(-total // 4), _BLOCK_VALUES):
            values = min(_BLOCK_VALUES, -(-total // 4) - start)
            block = np.empty((values, 4), np.uint8)
            for plane in range(4):
                at = _restore(packed, at, block[:, plane])
            words = block.reshape(-1).view("<u4")
            pieces.append((words >> 1 | words << 31).tobytes())
    except (struct.error, zlib.error, ValueError) as error:
        raise IntegrityError(f"{what} is not a compressed vector: {error}") from error
    if at != len(packed):
        raise IntegrityError(f"{what} is not a compressed vector: {len(packed) - at} bytes over")
    return b"".join(pieces)[:total]


def _stored(plane: bytes) -> tuple[bytes, bytes]:
    sample = plane[:_SAMPLE_BYTES]
    if len(_deflate(sample)) < _WORTH * len(sample):
        deflated = _deflate(plane)
        if len(deflated) < _WORTH * len(plane):
            return _PLANE.pack(len(deflated) | _DEFLATED), deflated
    return _PLANE.pack(len(plane)), plane


def _deflate(data: bytes) -> bytes:
    """By runs and frequencies only: exponents hold no longer patterns, and this is quicker."""
    deflater = zlib.compressobj(_LEVEL, strategy=zlib.Z_RLE)
    return deflater.compress(data) + deflater.flush()


def _restore(packed: bytes, at: int, plane: np.ndarray) -> int:
    """Fill one plane of a block from what is stored at `at`; where the next one is."""
    head: int = _PLANE.unpack_from(packed, at)[0]
    at += _PLANE.size
    end = at + (head & ~_DEFLATED)
    stored = packed[at:end]
    if head & _DEFLATED:
        stored = zlib.decompressobj().decompress(stored, len(plane) + 1)
    if len(stored) != len(plane):
        raise ValueError(f"a plane has {len(stored)} bytes instead of {len(plane)}")
    plane[:] = np.frombuffer(stored, np.uint8)
    return end
