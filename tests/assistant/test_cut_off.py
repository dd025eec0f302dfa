"""Nothing leaves: the service and the page where there is no network but loopback."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def test_all_works_without_a_network_and_nobody_tries_to_reach_one(
    checkpoint: Path, home: Path, chromium: str
) -> None:
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    apart = ["unshare", "--net", *as_root]
    if shutil.which("ip") is None or shutil.which("unshare") is None:
        pytest.skip("a namespace of its own takes unshare (util-linux) and ip (iproute2)")
    allowed = subprocess.run([*apart, "true"], capture_output=True, text=True)
    if allowed.returncode != 0:
        pytest.skip(f"this machine lets no namespace be made: {allowed.stderr.strip()}")
    run = subprocess.run(
        [*apart, sys.executable, "-m", "tests.assistant.cut_off", str(checkpoint), chromium],
        env={**os.environ, "ARCHIPEL_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {
        "interfaces": ["lo"],
        "counted": [True, True],  # so that a zero below means what it says
        "status": "done",
        "place": "machine",
        "tried_by_server": 0,
        "problems_of_page": [],
        "ended": 0,
    }
