"""Runs the tests in its folder with pytest, and tells each outcome as a line with a secret mark.

The code under test shares this interpreter. What it prints reaches no line; a line without the mark
shows that it looked for the pipe. What it does to pytest, whoever asked finds by a control run.
"""

import json
import os
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from archipel.sandbox.inside.control import is_control_failure

_DETAIL_CHARACTERS = 2000


class Tell:
    """A pytest plugin: writes what happens through `say`."""

    def __init__(self, say: Callable[[dict[str, Any]], None]) -> None:
        self._say = say

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that can't be loaded."""
        if report.failed:
            self._say({"trouble": report.longreprtext[-_DETAIL_CHARACTERS:]})

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """What there is to run."""
        self._say({"collected": [item.nodeid for item in session.items]})

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """One test begins."""
        self._say({"started": nodeid})

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: "pytest.CallInfo[None]"
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A test's outcome, and the control's own failure by its class."""
        report = yield
        if report.when == "call" or report.outcome != "passed":
            outcome = _outcome(item, report)
            if call.excinfo is not None and is_control_failure(call.excinfo.value):
                outcome = "controlled"
            detail = report.longreprtext[-_DETAIL_CHARACTERS:] if report.failed else ""
            self._say({"done": item.nodeid, "outcome": outcome, "detail": detail})
        return report


def _outcome(item: pytest.Item, report: pytest.TestReport) -> str:
    """The report's; but the tests say what is skipped, not the code."""
    place = report.longrepr
    if report.skipped and isinstance(place, tuple) and Path(place[0]).name != item.path.name:
        return "failed"
    return report.outcome


def main() -> None:
    """The question is {"mark", "leave_out": ids of tests}; the first line is empty."""
    channel = os.dup(1)
    os.write(channel, b"\n")
    question = json.load(sys.stdin)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    mark, write, dumps = question["mark"], os.write, json.dumps

    def say(event: dict[str, Any]) -> None:
        write(channel, f"{mark} {dumps(event)}\n".encode())

    sys.path[0] = str(Path.cwd())
    words = ["-q", "--tb=short", "-p", "no:cacheprovider", "--rootdir", ".", "-c", os.devnull]
    words += ["--disable-plugin-autoload", "--doctest-glob=documented_*.txt"]
    words += [word for name in question["leave_out"] for word in ("--deselect", name)]
    pytest.main(words, plugins=[Tell(say)])
    say({"end": True})
    os._exit(0)
