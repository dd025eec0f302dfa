"""Invited sites as real processes: a token joins, a rollback takes hold while they run."""

import json
import signal
from pathlib import Path

import pytest

from archipel.ledger import Ledger
from archipel.ledger.audit import read_commits
from archipel.store import Store
from tests.train.processes import Site, archipel, create, wait_for

pytestmark = [
    pytest.mark.timeout(500),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:transformers"),
]


def test_a_run_is_rolled_back_under_its_sites(tmp_path: Path, corpus: Path) -> None:
    run = create(tmp_path / "run", corpus, tokens=20_000_000)  # more than anybody trains here
    far = {"ARCHIPEL_HOME": str(tmp_path / "far")}
    refused = archipel("site", "join", run, "--name", "good", **far)
    assert refused.returncode == 1
    assert f"archipel run invite {run} --name good" in refused.stderr
    token = archipel("run", "invite", run, "--name", "good").stdout.strip()
    sites = [Site(run, "good", token=token, **far), Site(run, "bad")]
    ledger = Ledger.open(Store(str(run)))
    try:
        wait_for(lambda: len(read_commits(ledger)) >= 6, sites)
        done = archipel("run", "rollback", run, "--to", 3, "--without", "bad", "--reason", "noise")
        assert done.returncode == 0, done.stderr
        assert sites[1].process.wait(100) == 1
        begun = Ledger.open(ledger.store)
        wait_for(lambda: begun.commit_header(8), sites[:1])
        assert sites[0].end(signal.SIGINT) == 0
    finally:
        for site in sites:
            site.process.kill()
    logs = [site.log.read_text(encoding="utf-8") for site in sites]
    assert "goes on without 'bad' since era 1: noise" in logs[1]
    assert token not in logs[0]
    audit = archipel("run", "audit", run, "--replay", "--json")
    assert audit.returncode == 0, audit.stdout
    found = json.loads(audit.stdout)
    assert (found["eras"], found["members"], found["violations"]) == (2, ["bad", "good"], [])
    assert found["abandoned_commits"] >= 2
    assert found["replay"]["commits"] == found["commits"] >= 6
