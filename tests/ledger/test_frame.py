"""Frames: what goes in comes out, and nothing else does."""

import pytest

from archipel.errors import IntegrityError
from archipel.ledger.frame import pack, unpack

FRAME = pack(b'{"a": 1}', b"payload bytes")


def test_round_trip() -> None:
    header, payload = unpack(FRAME, "a frame")
    assert (header, bytes(payload)) == (b'{"a": 1}', b"payload bytes")


@pytest.mark.parametrize("length", range(len(FRAME)))
def test_every_truncation_is_noticed(length: int) -> None:
    with pytest.raises(IntegrityError, match=r"rounds/1/a\.delta"):
        unpack(FRAME[:length], "rounds/1/a.delta")


@pytest.mark.parametrize("place", range(len(FRAME)))
def test_every_altered_byte_is_noticed(place: int) -> None:
    altered = bytearray(FRAME)
    altered[place] ^= 0x10
    with pytest.raises(IntegrityError):
        unpack(bytes(altered), "a frame")


def test_a_header_length_that_lies_is_refused_before_it_is_believed() -> None:
    huge = bytearray(FRAME)
    huge[6:10] = (1 << 31).to_bytes(4, "little")
    with pytest.raises(IntegrityError, match="over the limit"):
        unpack(bytes(huge), "a frame")
