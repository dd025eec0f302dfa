"""The run's objects in a real folder: what is refused, and that nothing is lost."""

import json
import time
from pathlib import Path

import pytest

from archipel.errors import IntegrityError, RunError
from archipel.ledger import Claim, Contribution, Heartbeat, Ledger, RunSpec
from archipel.ledger.keys import OWNER
from archipel.store import Store
from tests.ledger.fake_keys import FakeKeys


@pytest.fixture
def ledger(tmp_path: Path, spec: RunSpec) -> Ledger:
    return Ledger.create(Store(str(tmp_path)), spec, FakeKeys("a"))


def test_creating_the_same_run_again_changes_nothing(ledger: Ledger, spec: RunSpec) -> None:
    assert Ledger.create(ledger.store, spec, FakeKeys(OWNER)).spec == spec


def test_another_spec_on_the_same_url_is_refused(ledger: Ledger, spec: RunSpec) -> None:
    with pytest.raises(RunError, match="another spec"):
        Ledger.create(ledger.store, spec.model_copy(update={"seed": 7}), FakeKeys(OWNER))
    assert Ledger.open(ledger.store).spec.seed == 0


def test_a_url_without_a_run_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="archipel run create"):
        Ledger.open(Store(str(tmp_path)))


def test_a_run_of_another_format_version_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    text = (tmp_path / "run.json").read_text(encoding="utf-8")
    (tmp_path / "run.json").write_text(
        json.dumps(json.loads(text) | {"format": 9, "news": 1}), encoding="utf-8"
    )
    with pytest.raises(RunError, match="format 9"):
        Ledger.open(ledger.store)


def test_a_truncated_spec_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    data = (tmp_path / "run.json").read_bytes()
    (tmp_path / "run.json").write_bytes(data[: len(data) // 2])
    with pytest.raises(IntegrityError, match=r"run\.json"):
        Ledger.open(ledger.store)


def test_a_claim_is_the_first_ones(ledger: Ledger) -> None:
    mine = Claim(site="a", session=0, unit=7, generation=0, start=0)
    assert ledger.put_claim(mine)
    other = Ledger.open(ledger.store, FakeKeys("b"))
    assert not other.put_claim(mine.model_copy(update={"site": "b"}))
    assert ledger.claim(7, 0) == mine
    assert ledger.claims() == [(7, 0)]


def test_the_store_says_when_a_contribution_was_put(ledger: Ledger) -> None:
    header = Contribution(
        site="a", session=0, round=0, base=-4, tokens=0, ranges=(), loss=1.0, codec="int8", values=0
    )
    ledger.put_contribution(header, b"")
    found = ledger.contribution(0, "a")
    assert found is not None
    assert found[2] == pytest.approx(time.time(), abs=60)


def test_a_site_name_that_is_a_path_is_refused() -> None:
    with pytest.raises(ValueError, match="site"):
        Heartbeat(site="../run", session=0, nonce="n", state="training")


def test_a_damaged_snapshot_file_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    files = {"parameters.0": b"0123456789"}
    ledger.put_snapshot(0, files, rounds=(-4, -3, -2, -1), cover={}, final=False)
    manifest = ledger.snapshot(0)
    assert manifest is not None
    assert ledger.snapshot_file(0, manifest, "parameters.0") == b"0123456789"
    (part,) = (tmp_path / "snapshots/00000000/parts").iterdir()
    part.write_bytes(b"012345678X")
    with pytest.raises(IntegrityError, match=r"truncated or altered.*delete the folder"):
        ledger.snapshot_file(0, manifest, "parameters.0")


def test_a_manifest_that_no_member_signed_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    ledger.put_snapshot(0, {}, rounds=(-4, -3, -2, -1), cover={}, final=False)
    reader = Ledger.open(ledger.store, FakeKeys(None, members={"b"}))
    with pytest.raises(IntegrityError, match="not a member"):
        reader.snapshot(0)


def test_what_others_leave_in_the_folders_is_no_record(ledger: Ledger) -> None:
    for key in ("claims/00000/readme.txt", "snapshots/new/manifest.json", "metrics/a/x.jsonl"):
        ledger.store.put(key, b"?")
    assert ledger.claims() == []
    assert ledger.snapshot_numbers() == []
    assert ledger.metrics("a") == b""


def test_a_snapshot_without_its_manifest_does_not_exist(ledger: Ledger) -> None:
    ledger.store.put("snapshots/00000008/parts/half", b"half")
    assert ledger.snapshot_numbers() == []
    assert ledger.snapshot(8) is None
