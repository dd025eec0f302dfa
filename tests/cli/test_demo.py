"""The whole path as a user starts it: three sites, one killed, a model served and asked."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPORT_KEYS = {
    "sites",
    "rounds",
    "tokens",
    "loss_first",
    "loss_last",
    "digests_equal",
    "rejoined",
    "duplicate_tokens",
    "skipped_tokens",
    "bytes_out",
    "bytes_in",
    "completion",
    "chat_reply",
}


@pytest.mark.timeout(400)
def test_the_demo_runs_by_itself_and_reports(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    words = ["demo", "--once", "--minutes", "0.5", "--folder", tmp_path / "demo"]
    words += ["--report", report, "--port", "0", "--page-port", "0"]
    done = subprocess.run(
        [sys.executable, "-m", "archipel", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(report.read_text(encoding="utf-8"))
    assert figures.keys() >= REPORT_KEYS
    assert figures["sites"] == 3
    assert figures["digests_equal"] is True
    assert figures["rejoined"] is True
    assert (figures["duplicate_tokens"], figures["skipped_tokens"]) == (0, 0)
    assert figures["loss_last"] < figures["loss_first"] - 1
    assert figures["completion"]
    assert len(list((tmp_path / "demo").glob("*/loss.png"))) == 1
