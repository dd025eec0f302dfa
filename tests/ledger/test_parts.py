"""Payloads in parts and snapshots: what broke off goes on, what is altered is noticed."""

from pathlib import Path

import numpy as np
import pytest

from archipel.errors import IntegrityError, StoreError
from archipel.ledger import Commit, Contribution, Ledger, RunSpec
from archipel.ledger.parts import MOST_PART_BYTES, PART_BYTES, part_bytes
from archipel.ledger.planes import compress, expand
from archipel.store import Store
from tests.ledger.fake_keys import FakeKeys

VALUES = 1_000_000
PAYLOAD = np.random.default_rng(0).bytes(3 * PART_BYTES + 17)


class Breaking(Store):
    """A store whose link goes down after `left` more parts."""

    left = 1_000_000
    moved = 0

    def put_part(self, key: str, data: bytes) -> None:
        self._part()
        super().put_part(key, data)

    def get_part(self, key: str) -> bytes | None:
        self._part()
        return super().get_part(key)

    def _part(self) -> None:
        if self.left == 0:
            raise StoreError("the link is down")
        self.left -= 1
        self.moved += 1


@pytest.fixture
def store(tmp_path: Path) -> Breaking:
    return Breaking(str(tmp_path / "run"))


@pytest.fixture
def ledger(store: Breaking, spec: RunSpec) -> Ledger:
    return Ledger.create(store, spec, FakeKeys("a"))


def contribution(round_: int = 0, values: int = VALUES) -> Contribution:
    return Contribution(
        site="a",
        session=0,
        round=round_,
        base=round_ - 4,
        tokens=0,
        ranges=(),
        loss=1.0,
        codec="int8",
        values=values,
    )


def commit(round_: int = 0) -> Commit:
    return Commit(
        round=round_,
        base=round_ - 4,
        by="a",
        merged=(contribution(round_),),
        refused=(),
        released=(),
        codec="int8",
        values=VALUES,
        digest="0" * 64,
    )


def test_a_large_payload_travels_in_parts(ledger: Ledger, store: Breaking) -> None:
    assert ledger.put_contribution(contribution(), PAYLOAD)
    assert store.moved == 4
    found = ledger.contribution(0, "a")
    assert found
    assert (found[0], bytes(found[1])) == (contribution(), PAYLOAD)
    assert ledger.put_commit(commit(), PAYLOAD)
    decided = ledger.commit(0)
    assert decided
    assert bytes(decided[1]) == PAYLOAD


def test_a_header_is_read_without_its_payload(ledger: Ledger, store: Breaking) -> None:
    ledger.put_contribution(contribution(), PAYLOAD)
    ledger.put_commit(commit(), PAYLOAD)
    store.left = 0
    assert ledger.contribution_header(0, "a") == contribution()
    assert ledger.commit_header(0) == commit()


def test_an_upload_that_broke_off_sends_only_the_rest(ledger: Ledger, store: Breaking) -> None:
    store.left = 3
    with pytest.raises(StoreError):
        ledger.put_contribution(contribution(), PAYLOAD)
    assert ledger.contribution(0, "a") is None
    store.left = 1
    assert Ledger.open(store, FakeKeys("a")).put_contribution(contribution(), PAYLOAD)


def test_a_download_that_broke_off_fetches_only_the_rest(ledger: Ledger, store: Breaking) -> None:
    ledger.put_commit(commit(), PAYLOAD)
    store.left = 3
    with pytest.raises(StoreError):
        ledger.commit(0)
    store.left = 1
    found = ledger.commit(0)
    assert found
    assert bytes(found[1]) == PAYLOAD


@pytest.mark.parametrize("damage", ["altered", "truncated", "missing"])
def test_a_damaged_part_is_noticed(ledger: Ledger, store: Breaking, damage: str) -> None:
    ledger.put_contribution(contribution(), PAYLOAD)
    key = store.list("rounds/00000000/parts")[2].key
    part = store.get(key) or b""
    if damage == "missing":
        store.delete([key])
    else:
        store.put(key, part[:-1] + b"?" if damage == "altered" else part[:-1])
    with pytest.raises(IntegrityError, match=key):
        ledger.contribution(0, "a")


def test_a_payload_much_longer_than_its_values_is_not_fetched(
    ledger: Ledger, store: Breaking
) -> None:
    ledger.put_contribution(contribution(values=10), PAYLOAD)
    store.left = 0
    with pytest.raises(IntegrityError, match="too many"):
        ledger.contribution(0, "a")


def test_deleting_contributions_leaves_the_commit_and_its_parts(
    ledger: Ledger, store: Breaking
) -> None:
    for number in (0, 4):
        ledger.put_contribution(contribution(number), bytes(reversed(PAYLOAD)))
        ledger.put_commit(commit(number), PAYLOAD)
    ledger.delete_contributions([0])
    assert ledger.contribution(0, "a") is None
    assert ledger.contribution(4, "a")
    found = ledger.commit(0)
    assert found
    assert bytes(found[1]) == PAYLOAD
    assert len(store.list("rounds/00000000/parts")) == 4


def test_parts_grow_with_their_payload() -> None:
    assert part_bytes(1 << 20) == PART_BYTES
    assert part_bytes(1 << 30) == (1 << 30) // 64
    assert part_bytes(1 << 36) == MOST_PART_BYTES


@pytest.mark.parametrize("length", [0, 1, 4, 7, 1 << 20, (1 << 20) + 6])
def test_what_is_compressed_comes_back_bit_by_bit(length: int) -> None:
    data = np.random.default_rng(1).bytes(length)
    assert expand(compress(data), "x") == data


def test_weights_get_smaller_and_odd_floats_stay_as_they_are() -> None:
    weights = np.random.default_rng(2).standard_normal(300_000, np.float32) * np.float32(0.02)
    weights[:4] = (np.nan, -np.inf, -0.0, 1e-45)
    packed = compress(weights.data.cast("B"))
    assert len(packed) < 0.86 * weights.nbytes
    assert expand(packed, "x") == weights.tobytes()
    assert len(compress(bytes(1 << 20))) < 10_000


@pytest.mark.parametrize("cut", [0, 7, 9, 1000, -1])
def test_what_is_not_compressed_data_is_refused(cut: int) -> None:
    packed = compress(np.random.default_rng(3).bytes(10_000))
    for hostile in (packed[:cut], packed + b"?", b"\xff" * 4000):
        with pytest.raises(IntegrityError, match="not a compressed vector"):
            expand(hostile, "x")


FILES = {f"parameters.{n}": np.random.default_rng(n).bytes(5_000) for n in range(4)}


def test_a_snapshot_is_joined_from_where_it_broke_off(
    ledger: Ledger, store: Breaking, tmp_path: Path
) -> None:
    store.left = 2
    with pytest.raises(StoreError):
        ledger.put_snapshot(0, FILES, rounds=(-4, -3, -2, -1), cover={}, final=False)
    assert ledger.snapshot_numbers() == []
    store.left = 4
    ledger.put_snapshot(0, FILES, rounds=(-4, -3, -2, -1), cover={}, final=False)
    manifest = ledger.snapshot(0)
    assert manifest
    cache = tmp_path / "cache"
    store.left = 3
    with pytest.raises(StoreError):
        {name: ledger.snapshot_file(0, manifest, name, cache) for name in FILES}
    again = Ledger.open(store)  # another process, later
    store.left = 1
    assert {n: again.snapshot_file(0, manifest, n, cache) for n in FILES} == FILES


def test_a_damaged_cache_is_fetched_again(ledger: Ledger, tmp_path: Path) -> None:
    ledger.put_snapshot(0, FILES, rounds=(-4, -3, -2, -1), cover={}, final=False)
    manifest = ledger.snapshot(0)
    assert manifest
    for _ in range(2):
        found = ledger.snapshot_file(0, manifest, "parameters.1", tmp_path / "cache")
        assert found == FILES["parameters.1"]
        (path,) = (tmp_path / "cache").iterdir()
        path.write_bytes(b"?")
