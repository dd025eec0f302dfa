"""The `archipel` command in processes of their own that need not import torch and transformers
again: forked from one that has. For small runs that is most of their time."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from archipel.cli.main import main

_MODULES = ["archipel.train.start", "archipel.train.create", "transformers.models.llama"]
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(_MODULES)


class Command:
    """A process of the command with these words; what it says goes to the ends of files."""

    def __init__(
        self, words: list[str], environment: dict[str, str], out: Path, error: Path
    ) -> None:
        arguments = (words, {**os.environ, **environment}, Path.cwd(), out, error)
        self._process = _FORKS.Process(target=_run, args=arguments, daemon=True)
        self._process.start()

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.exitcode

    def wait(self, seconds: float) -> int:
        """Its exit status, once it has ended. Raises subprocess.TimeoutExpired."""
        self._process.join(seconds)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("archipel", seconds)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            assert self._process.pid
            os.kill(self._process.pid, number)

    def kill(self) -> None:
        """End it as a machine does that loses its power."""
        self._process.kill()


def command(
    words: list[str], environment: dict[str, str], seconds: float
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, as `subprocess.run` does."""
    with TemporaryDirectory() as folder:
        out, error = Path(folder, "out"), Path(folder, "error")
        status = Command(words, environment, out, error).wait(seconds)
        said = (file.read_text(encoding="utf-8") for file in (out, error))
        return subprocess.CompletedProcess(words, status, *said)


def _run(
    words: list[str], environment: dict[str, str], folder: Path, out: Path, error: Path
) -> None:
    for number, file in ((1, out), (2, error)):
        with file.open("ab") as opened:
            os.dup2(opened.fileno(), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["archipel", *words]
    main()
