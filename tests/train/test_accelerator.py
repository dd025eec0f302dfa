"""Sites on a GPU and on a CPU train one model: the same bytes on both, round after round."""

import json
from pathlib import Path

import pytest
import torch

from archipel.ledger import Ledger
from archipel.ledger.audit import read_commits
from archipel.store import Store
from tests.train.processes import Site, audited, create, merged_sessions

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def test_a_gpu_and_a_cpu_hold_the_same_model(corpus: Path, tmp_path: Path) -> None:
    run = create(tmp_path / "run", corpus, tokens=240_000)
    sites = [Site(run, "gpu"), Site(run, "second"), Site(run, "cpu", CUDA_VISIBLE_DEVICES="")]
    for site in sites:
        assert site.process.wait(200) == 0, site.log.read_text(encoding="utf-8")
    assert merged_sessions(run) >= {("gpu", 0), ("cpu", 0)}
    figures = audited(run)
    assert (figures["duplicate_tokens"], figures["skipped_tokens"]) == (0, 0)
    ledger = Ledger.open(Store(str(run)))
    expected = {commit.round: commit.digest for commit in read_commits(ledger)}
    for site in sites:
        points = map(json.loads, ledger.metrics(site.log.stem).splitlines())
        digests = {point["applied"]: point["digest"] for point in points if "applied" in point}
        assert digests
        assert digests.items() <= expected.items()
