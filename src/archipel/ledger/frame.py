"""Signed envelopes: frames for what is long, a JSON line and a signature for what is short.

A frame is our one binary format. Integers are little-endian:

    magic "ARCP" | version u16 | signer length u16 | header length u32 | part length u32
    | payload length u64 | signer | header | body | SHA-256 of all before | signature

The body is the payload where the part length is 0. Otherwise it is the SHA-256 of each of the
payload's parts, all of them that long but the last; the parts lie elsewhere. Knows nothing about
the contents.
"""

import hashlib
import re
import struct
from dataclasses import dataclass

from archipel.errors import IntegrityError
from archipel.ledger.keys import SIGNATURE_BYTES, Seal

_MAGIC = b"ARCP"
_VERSION = 2
_HEAD = struct.Struct("<4sHHIIQ")
_DIGEST_BYTES = 32
_HEADER_LIMIT_BYTES = 16 << 20
_LINE_LIMIT_BYTES = 16 << 20
_SIGNER = re.compile(rb"@?[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Frame:
    """A frame that was checked: its payload, or where that is in parts, their digests.

    `put_at` is when the store says that it was put, in seconds.
    """

    signer: str
    header: bytes
    payload_bytes: int
    part_bytes: int
    body: memoryview
    put_at: float = 0.0

    @property
    def digests(self) -> list[str]:
        """SHA-256 of the payload's parts, hexadecimal; empty where the payload is in the body."""
        if not self.part_bytes:
            return []
        starts = range(0, len(self.body), _DIGEST_BYTES)
        return [self.body[start : start + _DIGEST_BYTES].hex() for start in starts]


def pack(header: bytes, payload: bytes | memoryview, key: str, seal: Seal) -> bytes:
    """A frame with `header` (JSON bytes) and `payload`, signed for the object `key`."""
    return _pack((header, payload), (0, len(payload)), key, seal)


def pack_parts(
    header: bytes, digests: list[str], lengths: tuple[int, int], key: str, seal: Seal
) -> bytes:
    """A frame whose payload lies elsewhere in parts; `lengths` are a part's and the payload's."""
    return _pack((header, bytes.fromhex("".join(digests))), lengths, key, seal)


def _pack(
    contents: tuple[bytes, bytes | memoryview], lengths: tuple[int, int], key: str, seal: Seal
) -> bytes:
    header, body = contents
    signer = seal.signer.encode()
    head = _HEAD.pack(_MAGIC, _VERSION, len(signer), len(header), *lengths)
    whole = b"".join((head, signer, header, body))
    digest = hashlib.sha256(whole).digest()
    return b"".join((whole, digest, seal.sign(key, digest)))


def unpack(frame: bytes, key: str, seal: Seal) -> Frame:
    """The frame of the object `key`.

    Raises:
        IntegrityError: it is truncated, altered, of another version, or not signed by its signer
            for this very object.
    """
    if len(frame) < _HEAD.size + _DIGEST_BYTES + SIGNATURE_BYTES:
        raise IntegrityError(f"{key} is truncated: {len(frame)} bytes are not a whole frame")
    magic, version, signer_bytes, header_bytes, part, payload = _HEAD.unpack_from(frame)
    if magic != _MAGIC or version != _VERSION:
        raise IntegrityError(f"{key} is not a frame of version {_VERSION} (found {version})")
    if header_bytes > _HEADER_LIMIT_BYTES:
        raise IntegrityError(f"{key} has a header of {header_bytes} bytes, over the limit")
    body_bytes = _DIGEST_BYTES * -(-payload // part) if part else payload
    end = _HEAD.size + signer_bytes + header_bytes + body_bytes
    expected = end + _DIGEST_BYTES + SIGNATURE_BYTES
    if len(frame) != expected:
        raise IntegrityError(f"{key} has {len(frame)} bytes instead of {expected}: truncated")
    view = memoryview(frame)
    digest = hashlib.sha256(view[:end]).digest()
    if digest != frame[end : end + _DIGEST_BYTES]:
        raise IntegrityError(f"{key} does not match its digest: it was altered on the way")
    header_start = _HEAD.size + signer_bytes
    signer = _name(frame[_HEAD.size : header_start], key)
    seal.check(key, signer, digest, frame[-SIGNATURE_BYTES:])
    body_start = header_start + header_bytes
    return Frame(signer, frame[header_start:body_start], payload, part, view[body_start:end])


def pack_line(line: bytes, key: str, seal: Seal) -> bytes:
    """A line of JSON, then its signer and signature: the object `key`."""
    signature = seal.sign(key, hashlib.sha256(line).digest())
    return b"%s\n%s %s\n" % (line, seal.signer.encode(), signature.hex().encode())


def unpack_line(data: bytes, key: str, seal: Seal) -> tuple[bytes, str]:
    """The line of the object `key`, and who signed it.

    Raises:
        IntegrityError: it is truncated or altered, or not signed for this very object.
    """
    lines = data.split(b"\n")
    words = lines[1].split(b" ") if len(lines) == 3 else []
    if len(words) != 2 or lines[2] or len(data) > _LINE_LIMIT_BYTES:
        raise IntegrityError(f"{key} is truncated or altered: not one line and its signature")
    signer = _name(words[0], key)
    try:
        signature = bytes.fromhex(words[1].decode("ascii"))
    except ValueError as error:
        raise IntegrityError(f"{key} is altered: its signature is not hexadecimal") from error
    seal.check(key, signer, hashlib.sha256(lines[0]).digest(), signature)
    return lines[0], signer


def _name(data: bytes, key: str) -> str:
    if not _SIGNER.fullmatch(data):
        raise IntegrityError(f"{key} is altered: its signer's name is not one")
    return data.decode()
