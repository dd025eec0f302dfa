"""archipel chat: in scripts, and at a terminal."""

import fcntl
import os
import pty
import re
import select
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.conftest import Service
from tests.serve.scripted import ScriptedService

CHAT = [sys.executable, "-c", "from archipel.cli.main import main; main()", "chat"]
NOTHING_THERE = "http://127.0.0.1:9/v1"


def chat(*arguments: object, text: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*CHAT, *map(str, arguments)], input=text, capture_output=True, text=True, timeout=60
    )


def test_one_question_to_a_running_service(service: Service) -> None:
    asked = chat("--url", service.url, "--once", "def add(")
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout
    assert chat("tiny", "--url", service.url, text="def add(").returncode == 0


def test_one_question_to_a_model_on_disk(
    checkpoint: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHIPEL_HOME", str(home))
    asked = chat(checkpoint, "--url", NOTHING_THERE, "--once", "def add(")
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout


def test_what_can_not_work_exits_with_1() -> None:
    for arguments, words in (
        (["--once", "Hi"], "no service answers"),
        (["no-such-model", "--once", "Hi"], "no model 'no-such-model'"),
        (["--once", " "], "the question is empty"),
    ):
        asked = chat("--url", NOTHING_THERE, *arguments)
        assert asked.returncode == 1
        assert words in asked.stderr
        assert "Traceback" not in asked.stderr


class _Terminal:
    """A pseudo-terminal with `archipel chat` on it."""

    def __init__(self, url: str) -> None:
        self._handle, inside = pty.openpty()
        self.process = subprocess.Popen(
            [*CHAT, "--url", url],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C reaches it
        )
        os.close(inside)

    def type(self, text: str) -> None:
        os.write(self._handle, text.encode())

    def wait_for(self, words: str) -> None:
        """Read until `words`, a regular expression, are on the screen."""
        seen = b""
        while not re.search(words.encode(), seen, re.DOTALL):
            assert select.select([self._handle], [], [], 20)[0], seen
            seen += os.read(self._handle, 4096)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._handle)


@pytest.fixture
def terminal(scripted: ScriptedService) -> Iterator[_Terminal]:
    opened = _Terminal(scripted.url)
    yield opened
    opened.close()


def test_a_conversation_in_the_terminal(terminal: _Terminal, scripted: ScriptedService) -> None:
    terminal.wait_for("island.*› ")
    terminal.type("First?\n")
    assert scripted.asked()["model"] == "island"
    scripted.say("One", " \x1b[31mtwo")
    terminal.wait_for(r"One \[31mtwo")  # the escape character is gone
    terminal.type("\x03")
    terminal.wait_for("stopped.*› ")
    assert scripted.client_left.wait(20)

    terminal.type("/model reef\n")
    terminal.wait_for("reef .*› ")
    terminal.type("Second?\n")
    request = scripted.asked()
    assert request["model"] == "reef"
    assert request["messages"] == [
        {"role": "user", "content": "First?"},
        {"role": "assistant", "content": "One \x1b[31mtwo"},
        {"role": "user", "content": "Second?"},
    ]
    scripted.say("Three")
    scripted.finish()
    terminal.wait_for("Three.*› ")

    terminal.type("/new\n")
    terminal.wait_for("new conversation.*› ")
    terminal.type("Third?\n")
    assert len(scripted.asked()["messages"]) == 1
    scripted.say("Four")
    scripted.finish()
    terminal.wait_for("Four.*› ")
    terminal.type("\x04")
    assert terminal.process.wait(20) == 0
