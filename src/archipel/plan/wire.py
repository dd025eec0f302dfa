"""What the exchange puts on the links and on the cores: bytes, requests, seconds. Pure.

Speeds are those that `archipel bench codec` measures (docs/decisions/0004), bits a parameter too,
but for `int4`'s: what they are in a run, and what is small, is of `archipel bench rounds`
(docs/decisions/0013).
"""

from dataclasses import dataclass

_SEGMENT_OVERHEAD = 1.055  # TCP/IP and Ethernet headers beside 1,448 bytes, and acknowledgements
REQUEST_BYTES = 1_200  # of a request and its reply beside the body: HTTP headers, both ways
REQUEST_CORE_SECONDS = 0.65e-3  # of one core, a small request with its signature
CLAIM_BYTES = 200  # a signed claim of a unit of data
HEARTBEAT_BYTES = 820  # a signed heartbeat
METRICS_BYTES = 500  # a second, of what a site tells of itself
_HEADER_BYTES = 380  # of a contribution: JSON and signature; a commit has those that it merged


@dataclass(frozen=True)
class Coding:
    """One codec: bits a parameter of a contribution, whether a commit is the union of them, and
    MB/s of fp32 parameters on one core."""

    bits: float
    is_union: bool
    encode: float
    decode: float


CODINGS = {
    "none": Coding(32.0, False, 3735.0, 3315.0),
    "int8": Coding(8.125, False, 761.0, 2397.0),
    "int4": Coding(3.10, False, 415.0, 953.0),
    "sparse": Coding(0.164, True, 811.0, 3483.0),
}
_MERGE_PASSES = 12  # over the fp32 values for each contribution: guard and mean
_APPLY_PASSES = 10  # over them for each commit: outer step, digest, correction
_PASS_MB_PER_SECOND = 4000.0  # of one core


@dataclass(frozen=True)
class Round:
    """One fragment's round among M sites; bytes as the links see them."""

    contribution: float
    commit: float
    encode_seconds: float  # of one core, a contribution with its error
    apply_seconds: float  # of one core, a commit
    merge_seconds: float  # of one core, on merge duty


def a_round(codec: str, values: float, sites: int) -> Round:
    """What a round of so many parameters is."""
    coding = CODINGS[codec]
    payload = coding.bits / 8 * values
    megabytes = 4e-6 * values
    decode = megabytes / coding.decode
    encode = megabytes / coding.encode + decode
    merge = sites * (decode + _MERGE_PASSES * megabytes / _PASS_MB_PER_SECOND)
    return Round(
        contribution=on_wire(payload + _HEADER_BYTES),
        commit=on_wire(payload * (sites if coding.is_union else 1) + _HEADER_BYTES * sites),
        encode_seconds=encode,
        apply_seconds=decode + _APPLY_PASSES * megabytes / _PASS_MB_PER_SECOND,
        merge_seconds=merge + (0.0 if coding.is_union else encode),
    )


def on_wire(payload: float) -> float:
    """Bytes of an object of ours with its request, as a network card counts them."""
    return _SEGMENT_OVERHEAD * payload + REQUEST_BYTES


def snapshot_bytes(parameters: float) -> float:
    """Parameters and momentum in fp32, packed: about seven eighths."""
    return _SEGMENT_OVERHEAD * 7 * parameters
