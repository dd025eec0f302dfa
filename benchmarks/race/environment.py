"""The Python environment of torchft's peers, and the lighthouse that they meet at."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from archipel.errors import ConfigError
from benchmarks.network.ports import answers
from benchmarks.peers.environment import peer_python

_ROOT = Path(__file__).resolve().parents[2]
_INSTALLED = (  # torch first and by version: a range would let pip choose one for another machine
    ("torch==2.13.0",),
    ("torchft==0.2.0",),
    ("--editable", f"{_ROOT}[train]"),
)
_START_SECONDS = 30.0
_SILENCE_SECONDS = 60  # after which it takes a site for dead: a full link delays heartbeats


def torchft_python(folder: Path) -> Path:
    """The interpreter of a virtual environment with torchft and this checkout, made if need be.

    Raises:
        ConfigError: it can't be made.
    """
    return peer_python(folder, *_INSTALLED)


@contextmanager
def lighthouse(python: Path, url: str, sites: int) -> Iterator[str]:
    """Run torchft's lighthouse at this URL for as many sites, with that interpreter's torchft.

    Raises:
        ConfigError: it does not start.
    """
    where = urlsplit(url)
    host, port = where.hostname or "", where.port or 0
    command = [str(python.with_name("torchft_lighthouse")), "--bind", where.netloc]
    command += ["--min_replicas", str(sites)]
    command += ["--heartbeat_timeout_ms", str(1000 * _SILENCE_SECONDS)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            end = time.monotonic() + _START_SECONDS
            while not answers(port, host):
                if process.poll() is not None or time.monotonic() > end:
                    log.seek(0)
                    tail = log.read().decode(errors="replace")[-2000:]
                    raise ConfigError(f"torchft's lighthouse did not start at {url}:\n{tail}")
                time.sleep(0.1)
            yield url
        finally:
            process.kill()
            process.wait()
