"""Site processes of a run on this machine: started, watched, ended. None outlives its starter."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from archipel.errors import RunError

_END_SECONDS = 20.0


class LocalSites:
    """`archipel site join` for each of `sites`, whose further words are given by its name; logs go
    on in `logs` where the ones before ended. Leaving the block ends them: what they trained is
    handed in."""

    def __init__(
        self, run: str, corpus: Path, logs: Path, sites: Mapping[str, Sequence[str]]
    ) -> None:
        self._run = run
        self._corpus = corpus
        self._logs = logs
        self._sites = sites
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "LocalSites":
        for name in self._sites:
            self.start(name)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self._processes.values():
            try:
                process.wait(timeout=_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

    def start(self, name: str) -> None:
        """Start a site's process."""
        command = [sys.executable, "-m", "archipel", "site", "join", self._run]
        command += ["--name", name, "--corpus", str(self._corpus), *self._sites[name]]
        with self.log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
            )

    def kill(self, name: str) -> None:
        """SIGKILL: no goodbye."""
        os.kill(self._processes[name].pid, signal.SIGKILL)
        self._processes[name].wait()

    def log(self, name: str) -> Path:
        """The file that holds what a site prints."""
        return self._logs / f"{name}.log"

    def all_ended(self) -> bool:
        """Whether every site ended well.

        Raises:
            RunError: one ended with an error.
        """
        for name, process in self._processes.items():
            if process.poll() not in (None, 0, -signal.SIGKILL):
                tail = self.log(name).read_text(encoding="utf-8", errors="replace")[-800:]
                raise RunError(f"site {name} ended with {process.returncode}:\n{tail}")
        return all(process.poll() == 0 for process in self._processes.values())
