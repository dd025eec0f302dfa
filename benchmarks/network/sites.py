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
        signal.signal(number, signal.SIG_IGN)  # a second one must not end the clearing up
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


class Site:
    """One site of a run: started, signalled and started again under the same name."""

    def __init__(self, network: Network, token: str, name: str, folder: Path) -> None:
        """A site whose home and log lie in `folder`, beside the corpus; nothing runs yet."""
        self.name = name
        self.home = folder / f"home-{name}"
        self.log = folder / f"{name}.log"
        self._network = network
        self._token = token
        self._corpus = folder / "corpus"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        """Join the run, with as much CPU as there is."""
        self._process = self.spawn(**environment)
        self._network.limit(self.name, None, self._process.pid)

    def spawn(self, **environment: str) -> subprocess.Popen[bytes]:
        """A process that joins as this site, which the caller has to end."""
        command = [sys.executable, "-m", "archipel", "site", "join"]
        command += ["--corpus", str(self._corpus), "--threads", "1"]
        own = {"ARCHIPEL_HOME": str(self.home), "OMP_NUM_THREADS": "1"}
        own |= {"ARCHIPEL_TOKEN": self._token, **environment}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self._network.command(self.name, *command),
                env={**os.environ, **self._network.environment(self.name), **own},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    def displace(self) -> subprocess.Popen[bytes]:
        """Start a second process under the name; returns the first, which has to end by itself."""
        assert self._process
        older = self._process
        self.start()
        return older

    def limit(self, processor_share: float | None) -> None:
        """Change the process's share of a core."""
        if self._process:
            self._network.limit(self.name, processor_share, self._process.pid)

    @property
    def running(self) -> bool:
        """Whether its process is there, stopped or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def process_id(self) -> int:
        """Of the process that was started last."""
        assert self._process
        return self._process.pid

    def core_seconds(self) -> tuple[float, float]:
        """What its process took of a core so far: the first thread, which trains, and all others.

        Raises:
            OSError: there is no such process any more.
        """
        first, others = 0, 0
        for task in Path(f"/proc/{self.process_id}/task").iterdir():
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            ticks = int(fields[11]) + int(fields[12])
            if task.name == str(self.process_id):
                first = ticks
            else:
                others += ticks
        return first / os.sysconf("SC_CLK_TCK"), others / os.sysconf("SC_CLK_TCK")

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

    def interrupt(self) -> None:
        """Ctrl-C: it hands in what it trained and says goodbye."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGINT)

    def end(self, seconds: float = 60.0) -> None:
        """Wait for its end; killed when that takes too long."""
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
