"""`archipel doc` as a process, over a service that answers by a rule of the test."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.assistant.actions.conftest import Ruled
from tests.assistant.actions.conftest import ruled as ruled

DOC = [sys.executable, "-c", "from archipel.cli.main import main; main()", "doc"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def doc(ruled: Ruled, tmp_path: Path) -> Run:
    """Run the command in the test's folder."""

    def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*DOC, *map(str, arguments), "--url", ruled.url],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run
