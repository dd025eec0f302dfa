"""Envelopes: what goes in comes out, and nothing else does."""

import pytest

from archipel.errors import IntegrityError
from archipel.ledger.frame import pack, pack_line, pack_parts, unpack, unpack_line
from archipel.ledger.keys import Seal
from tests.ledger.fake_keys import FakeKeys

KEY = "rounds/1/a.delta"
SEAL = Seal("5" * 64, FakeKeys("a"))
FRAME = pack(b'{"a": 1}', b"payload bytes", KEY, SEAL)
LINE = pack_line(b'{"a": 1}', KEY, SEAL)


def test_round_trip() -> None:
    frame = unpack(FRAME, KEY, SEAL)
    assert (frame.signer, frame.header, bytes(frame.body)) == ("a", b'{"a": 1}', b"payload bytes")
    assert (frame.payload_bytes, frame.digests) == (13, [])


def test_round_trip_of_a_payload_in_parts() -> None:
    digests = ["ab" * 32, "cd" * 32]
    frame = unpack(pack_parts(b"{}", digests, (10, 13), KEY, SEAL), KEY, SEAL)
    assert (frame.payload_bytes, frame.part_bytes, frame.digests) == (13, 10, digests)


def test_a_line_can_be_read_by_eye() -> None:
    assert unpack_line(LINE, KEY, SEAL) == (b'{"a": 1}', "a")
    assert LINE.startswith(b'{"a": 1}\na ')


@pytest.mark.parametrize("length", range(len(FRAME)))
def test_every_truncation_is_noticed(length: int) -> None:
    with pytest.raises(IntegrityError, match=r"rounds/1/a\.delta"):
        unpack(FRAME[:length], KEY, SEAL)


@pytest.mark.parametrize("place", range(len(FRAME)))
def test_every_altered_byte_is_noticed(place: int) -> None:
    altered = bytearray(FRAME)
    altered[place] ^= 0x10
    with pytest.raises(IntegrityError):
        unpack(bytes(altered), KEY, SEAL)


@pytest.mark.parametrize("place", range(len(LINE)))
def test_every_truncated_or_altered_line_is_noticed(place: int) -> None:
    altered = bytearray(LINE)
    altered[place] ^= 0x10
    for data in (LINE[:place], bytes(altered)):
        with pytest.raises(IntegrityError):
            unpack_line(data, KEY, SEAL)


def test_an_object_that_is_copied_elsewhere_does_not_count() -> None:
    with pytest.raises(IntegrityError, match="signature"):
        unpack(FRAME, "rounds/2/a.delta", SEAL)
    with pytest.raises(IntegrityError, match="signature"):
        unpack_line(LINE, KEY, Seal("6" * 64, FakeKeys("a")))


def test_what_an_excluded_site_signs_does_not_count() -> None:
    with pytest.raises(IntegrityError, match="excluded"):
        unpack(FRAME, KEY, Seal("5" * 64, FakeKeys("b"), without=("a",)))


def test_a_header_length_that_lies_is_refused_before_it_is_believed() -> None:
    huge = bytearray(FRAME)
    huge[8:12] = (1 << 31).to_bytes(4, "little")
    with pytest.raises(IntegrityError, match="over the limit"):
        unpack(bytes(huge), KEY, SEAL)
