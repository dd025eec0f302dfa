"""Log lines as text and as JSON."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archipel import log

logger = logging.getLogger("archipel.somewhere")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger("archipel")
    before = (root.handlers, root.level, root.propagate)
    yield
    root.handlers, root.level, root.propagate = before


def test_a_json_line_has_the_message_and_the_fields(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(verbose=False, as_json=True)
    log.label(site="paris")
    logger.debug("not wanted")
    logger.info("round %s\nis “in”", 7, extra={"round": 7, "path": Path("/run")})
    try:
        raise ValueError("no")
    except ValueError:
        logger.exception("failed")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "info",
        "logger": "archipel.somewhere",
        "message": "round 7\nis “in”",
        "site": "paris",
        "round": 7,
        "path": "/run",
    }
    assert second["level"] == "error"
    assert "ValueError: no" in second["exception"]


def test_text_leaves_the_fields_out(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(verbose=True)
    log.label(site="paris")
    logger.debug("round %s", 7, extra={"round": 7})
    assert capsys.readouterr().err.endswith("DEBUG   archipel.somewhere: round 7\n")


def test_the_command_line_asks_for_json(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.mkdir()
    (text / "a.txt").write_text("one two three " * 400, encoding="utf-8")
    command = [sys.executable, "-m", "archipel", "--log-json", "corpus", "build", str(text)]
    done = subprocess.run(
        [*command, "-o", str(tmp_path / "corpus"), "--vocab-size", "300"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert "archipel.corpus.build" in {line["logger"] for line in lines}
