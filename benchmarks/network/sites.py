"""Real `archipel site join` processes on an emulated network."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from archipel.errors import RunError
from benchmarks.network.hosts import Network


def interrupt_on_terminate() -> None:
    """Let SIGTERM end this process the way Ctrl-C does: everything is taken down."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


class Site:
    """One site of a run: started, signalled and started again under the same name."""

    def __init__(self, network: Network, name: str, folder: Path, corpus: Path) -> None:
        """A site whose home and log lie in `folder`; nothing runs yet."""
        self.name = name
        self.home = folder / f"home-{name}"
        self.log = folder / f"{name}.log"
        self._network = network
        self._corpus = corpus
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, url: str, *more: object, processor_share: float | None = None) -> None:
        """Join the run at `url`."""
        self._process = self.spawn(url, *more)
        self._network.limit(self.name, processor_share, self._process.pid)

    def spawn(self, url: str, *more: object) -> subprocess.Popen[bytes]:
        """A process that joins as this site, which the caller has to end."""
        words = [sys.executable, "-m", "archipel", "site", "join", url, "--name", self.name]
        words += ["--corpus", str(self._corpus), "--threads", "1", *map(str, more)]
        own = {"ARCHIPEL_HOME": str(self.home), "OMP_NUM_THREADS": "1"}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self._network.command(self.name, *words),
                env={**os.environ, **self._network.environment(self.name), **own},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    def limit(self, processor_share: float | None) -> None:
        """Change the process's share of a core."""
        if self._process:
            self._network.limit(self.name, processor_share, self._process.pid)

    @property
    def running(self) -> bool:
        """Whether its process is there, stopped or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How its process ended; None while it runs or where there was none."""
        return self._process.poll() if self._process else None

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal, if it is there."""
        if self._process and self.running:
            self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        self.signal(signal.SIGKILL)
        if self._process:
            self._process.wait()

    def end(self, seconds: float = 60.0) -> None:
        """SIGINT: it hands in what it trained and says goodbye; killed when it takes too long."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGINT)
        if self._process:
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def check(self) -> None:
        """Make sure that it has not ended by itself with an error.

        Raises:
            RunError: it has; with the end of its log.
        """
        if self.exit_code not in (None, 0, -signal.SIGKILL):
            tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise RunError(f"site {self.name} ended with {self.exit_code}:\n{tail}")
