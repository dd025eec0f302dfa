"""`archipel chat` as a process, in a script and on a pseudo-terminal, over a scripted service."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archipel.assistant.history.opened import open_history
from archipel.database import Database
from tests.serve.scripted import ScriptedService

CHAT = [sys.executable, "-c", "from archipel.cli.main import main; main()", "chat"]


class Terminal:
    """A pseudo-terminal with `archipel chat` on it."""

    def __init__(self, *arguments: str) -> None:
        self._handle, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [*CHAT, *arguments],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C reaches it
        )
        os.close(inside)

    def type(self, text: str) -> None:
        os.write(self._handle, text.encode())

    def wait_for(self, words: str) -> str:
        """Read until `words`, a regular expression, are on the screen; gives all that came."""
        seen = b""
        while not re.search(words.encode(), seen, re.DOTALL):
            assert select.select([self._handle], [], [], 20)[0], seen
            seen += os.read(self._handle, 4096)
        return seen.decode()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._handle)


@pytest.fixture
def terminal(scripted: ScriptedService) -> Iterator[Callable[..., Terminal]]:
    """Start `archipel chat` with these arguments."""
    opened: list[Terminal] = []

    def start(*arguments: str) -> Terminal:
        opened.append(Terminal("--url", scripted.url, *arguments))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@pytest.fixture
def own_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The history of this test's `archipel chat`, and of its page."""
    monkeypatch.setenv("ARCHIPEL_HOME", str(tmp_path / "home"))
    history = open_history()
    yield history
    history.close()
