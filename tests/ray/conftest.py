"""A Ray cluster of three nodes on this machine, gateways before it, and load on them."""

import importlib
import os
import re
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from archipel.serve.weights import find_gguf
from tests.models.conftest import tiny_config, tokenizer_folder
from tests.serve.conftest import checkpoint, wait_for_end

ray = pytest.importorskip("ray")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own, as it is imported
    importlib.import_module("ray.serve")

__all__ = ["checkpoint", "tiny_config", "tokenizer_folder", "wait_for_end"]

NODE = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}


@pytest.fixture(scope="session")
def gguf(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that every node has: they share this machine's disk."""
    return find_gguf(checkpoint, tmp_path_factory.mktemp("home"))


@dataclass
class RayCluster:
    """A head without room for engines, and two nodes with room for two engines each."""

    cluster: Any
    nodes: list[Any]
    mark: str  # in the environment of all its processes

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def engines(self) -> dict[int, int]:
        """The engines' processes, and of each the replica's process."""
        return {
            pid: _parent(pid)
            for pid, command in processes(self.mark)
            if "archipel.serve.engine_process" in command
        }


def processes(mark: str) -> Iterator[tuple[int, str]]:
    """Those with this in their environment, and their commands."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            if mark.encode() in (entry / "environ").read_bytes():
                yield int(entry.name), (entry / "cmdline").read_text().replace("\0", " ")
        except (OSError, UnicodeDecodeError):  # ended meanwhile
            continue


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def ours(monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    """The environment of all processes of a test; the part that no other has."""
    monkeypatch.setenv("ARCHIPEL_HOME", str(folder))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2] / "src"))
    return f"ARCHIPEL_HOME={folder}"


@pytest.fixture
def ray_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RayCluster]:
    from ray.cluster_utils import Cluster

    mark = ours(monkeypatch, tmp_path)
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 0})
    try:
        nodes = [cluster.add_node(**NODE) for _ in range(2)]
        yield RayCluster(cluster, nodes, mark)
    finally:
        cluster.shutdown()


@dataclass
class Gateway:
    """A running `archipel serve --ray`, and what it has logged so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    url: str = ""

    def said(self, pattern: str) -> re.Match[str]:
        """The next line of the log that matches."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"it ended and had not said {pattern!r}: {''.join(self.lines)}")

    def ray_process(self) -> int:
        """The process that speaks with Ray: the gateway's only child."""
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())

    def ask(self) -> httpx.Response:
        body = {"model": "tiny", "prompt": "def ", "max_tokens": 4}
        return httpx.post(f"{self.url}/completions", json=body, timeout=60)

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture
def gateway(gguf: Path, tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Start `archipel serve --ray` with one model, and wait until it answers."""
    started: list[Gateway] = []

    def start(address: str | None, *, path: str = str(gguf), **replicas: float) -> Gateway:
        settings = tmp_path / "service.toml"
        table = ", ".join(f"{key} = {value}" for key, value in replicas.items())
        settings.write_text(
            f'[models.tiny]\npath = "{path}"\ncontext = 256\nparallel = 2\n'
            f"replicas = {{cpus = 0.5, {table}}}\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", "from archipel.cli.main import main; main()", "serve"]
            + ["--config", str(settings), "--port", "0"]
            + (["--ray-address", address] if address else ["--ray"]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )
        started.append(running := Gateway(process))
        assert process.stdout is not None
        line = process.stdout.readline().split()
        running.url = line[1] if line else ""
        return running

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


@dataclass
class Load:
    """Streams, so many at once, from its beginning to its end."""

    url: str
    at_once: int
    whole: int = 0
    broke_off: int = 0  # after their first token
    failed: list[str] = field(default_factory=list)  # before it
    _ended: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> "Load":
        self._threads = [threading.Thread(target=self._ask) for _ in range(self.at_once)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        body = {"model": "tiny", "prompt": "def f(x):", "max_tokens": 120, "stream": True}
        with httpx.Client(timeout=90) as client:
            while not self._ended.is_set():
                try:
                    with client.stream("POST", f"{self.url}/completions", json=body) as response:
                        said = "".join(response.iter_text())
                except httpx.HTTPError as error:
                    said = repr(error)
                with self._lock:
                    self._count(said)

    def _count(self, said: str) -> None:
        if "[DONE]" in said:
            self.whole += 1
        elif said.startswith('data: {"choices"') and '"error"' in said:
            self.broke_off += 1
        else:
            self.failed.append(said)
