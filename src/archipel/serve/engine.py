"""The parent's side of an engine: starts its process, and starts it again if it died.

Knows nothing about HTTP requests; the gateway sends them.
"""

import asyncio
import contextlib
import json
import logging
import resource
import secrets
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from archipel import config
from archipel.errors import ModelError

_log = logging.getLogger(__name__)
_STOP_SECONDS = 5
_LOG_TAIL_BYTES = 2000
_PROCESS_BYTES = 32 << 20  # without a model
_FILE_SHARE = 1.2  # of a file's size in memory, with the context


@dataclass(frozen=True)
class EngineSettings:
    """How an engine runs. `context_tokens` is what one request may use, `parallel` the slots;
    with `pooling` (mean, cls or last) it embeds texts instead of answering."""

    context_tokens: int = 4096
    parallel: int = 4
    threads: int | None = None
    pooling: str | None = None
    host: str = "127.0.0.1"  # another address opens it, with its key, to that network


@dataclass(frozen=True)
class Address:
    """Where a running engine answers, and the key that only its parent knows."""

    url: str
    api_key: str


class Engine:
    """One model in a child process, which `address` starts and `stop` ends; `async with` does
    both."""

    def __init__(self, name: str, path: Path, settings: EngineSettings) -> None:
        self.name = name
        self._path = path
        self._settings = settings
        self._starting = asyncio.Lock()
        self._process: Process | None = None
        self._address = Address("", "")
        self._bytes = _PROCESS_BYTES + int(path.stat().st_size * _FILE_SHARE)  # until it has run

    async def __aenter__(self) -> Self:
        await self.address()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def is_running(self) -> bool:
        """Whether the model is in memory, or its process ended and nobody has noticed."""
        return self._process is not None

    @property
    def memory_bytes(self) -> int:
        """What it takes; before it has run, a guess from the size of its file."""
        if self._process is not None and self._address.url:
            with contextlib.suppress(OSError, ValueError):  # not Linux, or it has just ended
                pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
                self._bytes = int(pages) * resource.getpagesize()
        return self._bytes

    @property
    def process_id(self) -> int | None:
        """The process that runs the model, if one does."""
        return self._process.pid if self._process else None

    async def address(self) -> Address:
        """Where the engine answers; starts it first if it is not running.

        Raises:
            ModelError: the engine can't load the model.
        """
        async with self._starting:
            if self._process and self._process.returncode is not None:
                _log.warning(
                    "engine %s ended with %s; starting it again",
                    self.name,
                    self._process.returncode,
                )
                self._process = None
            if self._process is None:
                await self._start()
            return self._address

    async def _start(self) -> None:
        key = secrets.token_urlsafe(32)
        request = {
            "name": self.name,
            "path": str(self._path),
            "api_key": key,
            "parallel": self._settings.parallel,
            "context_tokens": self._settings.context_tokens,
            "threads": self._settings.threads or config.usable_cores(),
            "pooling": self._settings.pooling,
            "host": self._settings.host,
        }
        with tempfile.TemporaryFile() as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "archipel.serve.engine_process"),
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
                # OpenMP's default spin makes one busy neighbour cost 18x; so, 2.6x.
                env=config.child_environment(GOMP_SPINCOUNT="1000"),
                start_new_session=True,  # Ctrl-C is the parent's to handle
            )
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            try:
                self._process.stdin.write(json.dumps(request).encode() + b"\n")
                ready = await self._process.stdout.readline()
                if not ready:
                    raise ModelError(self._failure(log))
            except BaseException:  # cancelled too: no child may outlive a start that failed
                await self.stop()
                raise
        self._address = Address(json.loads(ready)["url"], key)

    async def stop(self) -> None:
        """End the process: its standard input ends, and if that is not enough, it is killed."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except (TimeoutError, asyncio.CancelledError):
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _failure(self, log: BinaryIO) -> str:
        log.seek(max(0, log.seek(0, 2) - _LOG_TAIL_BYTES))
        tail = log.read().decode(errors="replace").strip()
        return (
            f"the engine can't load model {self.name!r} from {self._path}. Check that the file is "
            f"a whole GGUF and that it fits in memory. The end of its log:\n{tail}"
        )
