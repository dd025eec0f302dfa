"""Our one binary format: a JSON header and a payload in a checked envelope.

    magic "ARCP" | version u16 | header length u32 | payload length u64 | header | payload | SHA-256

Integers are little-endian; the digest is of everything before it. Knows nothing about the contents.
"""

import hashlib
import struct

from archipel.errors import IntegrityError

_MAGIC = b"ARCP"
_VERSION = 1
_HEAD = struct.Struct("<4sHIQ")
_DIGEST_BYTES = 32
_HEADER_LIMIT_BYTES = 16 << 20


def pack(header: bytes, payload: bytes) -> bytes:
    """Put `header` (JSON bytes) and `payload` into one frame."""
    body = _HEAD.pack(_MAGIC, _VERSION, len(header), len(payload)) + header + payload
    return body + hashlib.sha256(body).digest()


def unpack(frame: bytes, what: str) -> tuple[bytes, memoryview]:
    """The header and the payload of a frame; `what` names the object in the error.

    Raises:
        IntegrityError: the frame is truncated, altered or of another version.
    """
    if len(frame) < _HEAD.size + _DIGEST_BYTES:
        raise IntegrityError(f"{what} is truncated: {len(frame)} bytes are not a whole frame")
    magic, version, header_bytes, payload_bytes = _HEAD.unpack_from(frame)
    if magic != _MAGIC or version != _VERSION:
        raise IntegrityError(f"{what} is not a frame of version {_VERSION} (found {version})")
    if header_bytes > _HEADER_LIMIT_BYTES:
        raise IntegrityError(f"{what} has a header of {header_bytes} bytes, over the limit")
    expected = _HEAD.size + header_bytes + payload_bytes + _DIGEST_BYTES
    if len(frame) != expected:
        raise IntegrityError(f"{what} has {len(frame)} bytes instead of {expected}: truncated")
    view = memoryview(frame)
    if hashlib.sha256(view[:-_DIGEST_BYTES]).digest() != frame[-_DIGEST_BYTES:]:
        raise IntegrityError(f"{what} does not match its digest: it was altered on the way")
    start = _HEAD.size
    header = bytes(view[start : start + header_bytes])
    return header, view[start + header_bytes : -_DIGEST_BYTES]
