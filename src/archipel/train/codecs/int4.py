"""Codec `int4`: blocks of 128 values, 4-bit codes −7…7 times a 16-bit scale, Huffman-coded.

What is Huffman-coded (raw DEFLATE): the blocks' scales as bfloat16, first all upper bytes, then all
lower ones; then the codes + 8, byte j of a block holding value j and, above it, value j + 64.

A step of half a block's root mean square where its largest value allows it: against steps of
largest/7 the error doubles in energy, from 1 to 2.3 %, and error feedback makes up for it, but the
Huffman code falls from 3.6 to 3.05 bits a value. Figures: docs/decisions/0004.
"""

import zlib

import numpy as np

from archipel.errors import IntegrityError
from archipel.train.codecs.dense import Dense
from archipel.train.codecs.payload import Halves, Payload, check_range, from_halves
from archipel.train.fragments import Vector

_BLOCK = 128
_LARGEST = 7
_STEP_RMS = np.float32(0.5)
_SLAB_BLOCKS = 256  # worked on at once: 128 KiB of fp32, within a core's cache
_KEPT_BITS = np.uint32(20)  # scales have 3 bits of mantissa, which Huffman-code better than 7
_SMALLEST_SCALE = np.float32(1e-30)  # below, its inverse would overflow; such a block is zero
_BLOCK_BYTES = 2 + _BLOCK // 2

Blocks = np.ndarray[tuple[int, int], np.dtype[np.float32]]
Codes = np.ndarray[tuple[int, int], np.dtype[np.uint8]]


class Int4(Dense):
    """About 3 bits a value; 4.125 before the Huffman code."""

    name = "int4"

    def encode(self, values: Vector) -> bytes:
        """As in `Codec`."""
        blocks = -(-len(values) // _BLOCK)
        whole = len(values) // _BLOCK
        halves, codes = np.empty(blocks, np.uint16), np.empty((blocks, _BLOCK // 2), np.uint8)
        for start in range(0, whole, _SLAB_BLOCKS):
            stop = min(start + _SLAB_BLOCKS, whole)
            slab = values[start * _BLOCK : stop * _BLOCK].reshape(-1, _BLOCK)
            _encode_blocks(slab, halves[start:stop], codes[start:stop])
        if whole < blocks:
            last = np.zeros((1, _BLOCK), np.float32)
            last[0, : len(values) - whole * _BLOCK] = values[whole * _BLOCK :]
            _encode_blocks(last, halves[whole:], codes[whole:])
        coder = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_HUFFMAN_ONLY)
        planes = halves.astype("<u2").view(np.uint8).reshape(-1, 2).T
        head = coder.compress(planes[::-1].tobytes())
        return head + coder.compress(codes.reshape(-1).data) + coder.flush()

    def decode(self, payload: Payload, values: int) -> Vector:
        """As in `Codec`."""
        blocks = -(-values // _BLOCK)
        plain = _inflate(payload, blocks * _BLOCK_BYTES)
        planes = np.frombuffer(plain, np.uint8, count=2 * blocks).reshape(2, blocks)
        scales = from_halves(planes[0].astype(np.uint16) << 8 | planes[1])
        codes = np.frombuffer(plain, np.uint8, offset=2 * blocks).reshape(blocks, _BLOCK // 2)
        decoded = np.empty((blocks, _BLOCK), np.float32)
        for start in range(0, blocks, _SLAB_BLOCKS):
            part = slice(start, start + _SLAB_BLOCKS)
            _decode_blocks(scales[part], codes[part], decoded[part])
        return decoded.reshape(-1)[:values]


def _encode_blocks(blocks: Blocks, halves: Halves, codes: Codes) -> None:
    """Write the scales of [blocks, 128] values to `halves` and their codes to `codes`."""
    largest = np.maximum(blocks.max(axis=1), -blocks.min(axis=1))
    check_range(largest.max())
    mean_square = np.einsum("ij,ij->i", blocks, blocks, dtype=np.float64) / _BLOCK
    scales = np.maximum(largest / np.float32(_LARGEST), _STEP_RMS * np.sqrt(mean_square))
    scales = scales.astype(np.float32)
    bits = scales.view(np.uint32) + ((np.uint32(1) << _KEPT_BITS) - np.uint32(1))
    bits = bits >> _KEPT_BITS << _KEPT_BITS  # rounded up, so that no code exceeds 7
    bits[scales < _SMALLEST_SCALE] = 0
    halves[:] = bits >> 16
    scales = bits.view(np.float32)
    inverse = np.divide(1, scales, out=np.zeros_like(scales), where=scales > 0)
    scaled = blocks * inverse[:, None]
    scaled += np.float32(8.5)  # the cast below rounds down
    whole = scaled.astype(np.uint8)
    np.left_shift(whole[:, _BLOCK // 2 :], 4, out=codes)
    codes |= whole[:, : _BLOCK // 2]


def _decode_blocks(scales: Vector, codes: Codes, blocks: Blocks) -> None:
    """Write what scales and codes stand for to `blocks`, [blocks, 128]."""
    blocks[:, : _BLOCK // 2] = codes & 15
    blocks[:, _BLOCK // 2 :] = codes >> 4
    blocks -= np.float32(8)
    blocks *= scales[:, None]


def _inflate(payload: Payload, expected: int) -> bytes:
    """The `expected` bytes that the payload is the Huffman code of; never more than that."""
    coder = zlib.decompressobj(-15)
    try:
        plain = coder.decompress(payload, expected + 1)
    except zlib.error as error:
        raise IntegrityError(f"an int4 payload is not a valid Huffman code: {error}") from error
    if len(plain) != expected or not coder.eof or coder.unused_data:
        raise IntegrityError(f"an int4 payload is not the Huffman code of {expected} bytes")
    return plain
