"""Codecs: what they keep, what they cost, and what they refuse."""

import tracemalloc
import zlib

import numpy as np
import pytest

from archipel.errors import ConfigError, IntegrityError
from archipel.train.codec import Codec, codec_named
from archipel.train.fragments import Vector

COUNTS = [1, 63, 64, 65, 127, 128, 129, 4095, 4096, 4097, 20_000]
LARGEST_ERROR = {"none": 0.0, "int8": 1 / 127, "int4": 1 / 4}  # of the largest value


def numbers(count: int, seed: int = 0) -> Vector:
    """Numbers as unequal as a pseudo-gradient's."""
    random = np.random.default_rng(seed)
    sizes = np.exp(random.standard_normal(-(-count // 100))).repeat(100)[:count]
    return (1e-4 * sizes * random.standard_normal(count)).astype(np.float32)


def coded(codec: Codec, values: Vector) -> Vector:
    return codec.decode(codec.encode(values), len(values))


@pytest.fixture(params=["none", "int8", "int4", "sparse"])
def codec(request: pytest.FixtureRequest) -> Codec:
    return codec_named(request.param)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", LARGEST_ERROR)
def test_a_dense_codec_keeps_the_length_and_comes_close(name: str, count: int) -> None:
    values = numbers(count)
    again = coded(codec_named(name), values)
    assert again.shape == values.shape
    assert np.abs(again - values).max() <= LARGEST_ERROR[name] * np.abs(values).max()


@pytest.mark.parametrize("count", COUNTS)
def test_sparse_keeps_the_largest_of_every_chunk_with_their_signs(count: int) -> None:
    values = numbers(count)
    again = coded(codec_named("sparse"), values)
    assert again.shape == values.shape
    for start in range(0, count, 4096):
        chunk, kept = values[start : start + 4096], again[start : start + 4096]
        largest = np.argsort(-np.abs(chunk))[:64]
        assert set(np.flatnonzero(kept)) == set(largest)
        assert np.array_equal(np.sign(kept[largest]), np.sign(chunk[largest]))
        assert len(set(np.abs(kept[largest]))) <= 2


def test_sparse_takes_the_two_magnitudes_that_come_closest() -> None:
    values = np.zeros(4096, np.float32)
    values[:40], values[40:64] = 1.0, -8.0
    assert np.array_equal(coded(codec_named("sparse"), values), values)


def test_sparse_takes_the_first_of_equals() -> None:
    assert np.flatnonzero(coded(codec_named("sparse"), np.ones(5000, np.float32))).tolist() == [
        *range(64),
        *range(4096, 4096 + 64),
    ]


@pytest.mark.parametrize("count", COUNTS)
def test_nothing_stays_nothing(codec: Codec, count: int) -> None:
    assert not coded(codec, np.zeros(count, np.float32)).any()


@pytest.mark.parametrize(
    ("name", "bits"), [("none", 32), ("int8", 8.125), ("int4", 3.2), ("sparse", 84 * 8 / 4096)]
)
def test_a_codec_takes_so_many_bits_a_value(name: str, bits: float) -> None:
    count = 1 << 18
    assert len(codec_named(name).encode(numbers(count))) * 8 <= bits * count


def test_error_feedback_makes_the_sum_of_what_was_sent_right(codec: Codec) -> None:
    values, left = numbers(5000), np.zeros(5000, np.float32)
    sent, rounds = np.zeros(5000), 400
    for _ in range(rounds):
        update = values + left
        decoded = coded(codec, update)
        left = update - decoded
        sent += decoded
    assert np.linalg.norm(sent / rounds - values) < 0.1 * np.linalg.norm(values)


def test_a_decaying_residual_stays_bounded() -> None:
    codec = codec_named("sparse")
    values, left = numbers(5000), np.zeros(5000, np.float32)
    norms = []
    for _ in range(200):
        update = values + left
        left = np.float32(codec.feedback_decay) * (update - coded(codec, update))
        norms.append(np.linalg.norm(left))
    assert norms[-1] < 1.05 * max(norms[:100]) < 20 * np.linalg.norm(values)


# Commits

PARTS = [(30, 1), (10, 2), (7, 3)]


@pytest.mark.parametrize("name", LARGEST_ERROR)
def test_a_dense_commit_is_the_weighted_mean_with_the_residual(name: str) -> None:
    codec = codec_named(name)
    parts = [(tokens, codec.encode(numbers(5000, seed))) for tokens, seed in PARTS]
    residual = numbers(5000, 4)
    expected = residual.astype(np.float64)
    for tokens, payload in parts:
        expected += codec.decode(payload, 5000) * (tokens / 47)
    payload, left = codec.combine(parts, residual, 5000)
    assert left is not None
    assert np.allclose(codec.decode_commit(payload, 5000) + left, expected, atol=1e-9)


def test_a_sparse_commit_is_the_exact_union() -> None:
    codec = codec_named("sparse")
    parts = [(tokens, codec.encode(numbers(9000, seed))) for tokens, seed in PARTS]
    payload, left = codec.combine(parts, None, 9000)
    assert left is None
    expected = np.zeros(9000, np.float32)
    for tokens, part in parts:
        expected += codec.decode(part, 9000) * np.float32(tokens / 47)
    assert codec.decode_commit(payload, 9000).tobytes() == expected.tobytes()


# Commits of 12 values as they lie in ledgers, and the values that they stand for.
GOLDEN = {
    "none": (
        "54e345be9cc4e0bd894160bda245b6bccdccccbba69b44ba6f1283395839343b60e5503ce27a143dd34da23d"
        "c74b173e",
        "54e345be9cc4e0bd894160bda245b6bccdccccbba69b44ba6f1283395839343b60e5503ce27a143dd34da23d"
        "c74b173e",
    ),
    "int8": (
        "923ac73a81b8dcf1fcff000209183461",
        "1dac45bee421e0bde42160bde9c6babc923ac7bb923ac7ba00000000923a473be421603cee6b153d97dfa13d"
        "63fa163e",
    ),
    "int4": (
        "05c1810900200800b0c77c4e889a88bf76825bfc3cf781ea0100000000008005",
        "000052be0000f0bd000070bd0000f0bc00000000000000000000000000000000000000000000f03c0000b43d"
        "0000163e",
    ),
    "sparse": (
        "0200000003000000000000000100000000000000573b1f3effffffffffffffff000000000000000040200c44"
        "611c48a22c4ce33c50244d54655d58a66d5ce77d60288e64699e68aaae6cebbe702ccf746ddf78aeef7cefff"
        "3f000000000000000308000000000000573b1f3effffffffffffffff000000000000000040200c44611c48a2"
        "2c4ce33c50244d54655d58a66d5ce77d60288e64699e68aaae6cebbe702ccf746ddf78aeef7cefff1f000000"
        "00000000010c000000000000",
        "00001fbe002ef0bd000057bb000057bb000057bb0000d7ba0000573b0000573b0000573b0000573b0014293d"
        "00001f3e",
    ),
}


def test_a_commit_decodes_to_the_same_bits_on_every_machine_and_in_every_version(
    codec: Codec,
) -> None:
    payload, values = map(bytes.fromhex, GOLDEN[codec.name])
    assert codec.decode_commit(payload, 12).astype("<f4").tobytes() == values


# Hostile bytes


def decodes_or_refuses(codec: Codec, payload: bytes, count: int, *, commit: bool) -> bool:
    """Whether it was refused; what is not must decode to finite numbers of the right count."""
    try:
        decode = codec.decode_commit if commit else codec.decode
        values = decode(payload, count)
    except IntegrityError:
        return True
    assert values.shape == (count,)
    assert np.isfinite(values).all()
    return False


def mutations(payload: bytes, random: np.random.Generator) -> list[bytes]:
    """The payload truncated, extended, with bytes changed, and with stretches overwritten."""
    data = np.frombuffer(payload, np.uint8)
    cut = int(random.integers(len(data)))
    flipped, filled = data.copy(), data.copy()
    flipped[random.integers(len(data), size=random.integers(1, 5))] ^= np.uint8(
        1 << random.integers(8)
    )
    filled[cut : cut + int(random.integers(1, 64))] = random.choice([0, 255])
    tail = random.bytes(int(random.integers(1, 100)))
    return [payload[:cut], payload + tail, flipped.tobytes(), filled.tobytes()]


@pytest.mark.parametrize("commit", [False, True])
@pytest.mark.parametrize("count", [300, 9000])
def test_any_bytes_are_refused_or_decode_to_finite_numbers(
    codec: Codec, count: int, commit: bool
) -> None:
    random = np.random.default_rng(count)
    payload = codec.encode(numbers(count))
    if commit:
        payload, _ = codec.combine([(3, payload), (5, payload)], None, count)
    for _ in range(60):
        truncated, extended, *altered = mutations(payload, random)
        assert decodes_or_refuses(codec, truncated, count, commit=commit)
        assert decodes_or_refuses(codec, extended, count, commit=commit)
        for bad in (*altered, random.bytes(len(payload))):
            decodes_or_refuses(codec, bad, count, commit=commit)
    assert not decodes_or_refuses(codec, payload, count, commit=commit)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e35])
def test_what_is_not_finite_is_never_encoded(codec: Codec, bad: float) -> None:
    values = numbers(600)
    values[300] = bad
    with pytest.raises(IntegrityError, match="not finite"):
        codec.encode(values)


@pytest.mark.parametrize("name", ["none", "int8", "sparse"])
def test_a_scale_that_is_not_finite_is_refused(name: str) -> None:
    codec = codec_named(name)
    poisoned = bytearray(codec.encode(numbers(300)))
    poisoned[:4] = np.float32("nan").tobytes() if name != "sparse" else b"\x80\x7f\x80\x7f"
    with pytest.raises(IntegrityError, match="not finite"):
        codec.decode(bytes(poisoned), 300)


def sparse_with(**changed: bytes) -> bytes:
    """A payload of one chunk, some of whose planes are replaced."""
    payload = codec_named("sparse").encode(numbers(4096))
    at, planes = 0, []
    for name, size in (("scales", 4), ("unary", 16), ("low", 48), ("rest", 16)):
        planes.append(changed.get(name, payload[at : at + size]))
        at += size
    return b"".join(planes)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (sparse_with(unary=b"\0" * 16), "does not hold 64 positions"),
        (sparse_with(unary=b"\xff" * 16), "does not hold 64 positions"),
        (sparse_with(unary=b"\0" * 8 + b"\xff" * 8), "does not hold 64 positions"),
        (sparse_with(unary=b"\xff" * 8 + b"\0" * 8, low=b"\0" * 48), "do not rise"),
        (sparse_with(scales=b"\x80\xff\0\0"), "negative"),
        (sparse_with()[:-1], "83 bytes instead of 84"),
    ],
)
def test_a_malformed_sparse_payload_is_named(payload: bytes, reason: str) -> None:
    with pytest.raises(IntegrityError, match=reason):
        codec_named("sparse").decode(payload, 4096)


def test_a_position_behind_the_end_is_refused() -> None:
    payload = codec_named("sparse").encode(numbers(4096))
    with pytest.raises(IntegrityError, match="behind the last of 100 values"):
        codec_named("sparse").decode(payload, 100)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        b"\x01\0\0\0" + b"\0" * 8,
    ],
)
def test_a_sparse_commit_of_absurd_counts_is_refused(head: bytes) -> None:
    payload = codec_named("sparse").encode(numbers(4096)) if len(head) == 12 else b""
    with pytest.raises(IntegrityError):
        codec_named("sparse").decode_commit(head + payload, 4096)


def test_a_small_payload_cannot_fill_the_memory() -> None:
    coder = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = coder.compress(bytes(200 << 20)) + coder.flush()
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    with pytest.raises(IntegrityError, match="not the Huffman code of 66 bytes"):
        codec_named("int4").decode(bomb, 128)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1 << 20


def test_numbers_too_small_to_scale_become_zero(codec: Codec) -> None:
    if codec.name != "none":
        assert not coded(codec, np.full(300, 1e-42, np.float32)).any()


def test_an_unknown_codec_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="int4, int8, none, sparse"):
        codec_named("int3")
