"""The parent's side of an engine: starts its process, and starts it again if it died.

Knows nothing about HTTP requests; the gateway sends them. What the process does is its own affair.
"""

import asyncio
import contextlib
import json
import logging
import os
import resource
import secrets
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from archipel import config
from archipel.errors import ModelError
from archipel.serve.launch import Launch
from archipel.serve.weights import Kind

_log = logging.getLogger(__name__)
_LOG_TAIL_BYTES = 2000
_PROGRESS_SECONDS = 15.0  # between two lines of the log, while a model loads


@dataclass(frozen=True)
class Address:
    """Where a running engine answers, and the key that only its parent knows."""

    url: str
    api_key: str


class Engine:
    """One model in a child process, which `address` starts and `stop` ends; `async with` does
    both."""

    def __init__(self, name: str, launch: Launch) -> None:
        self.name = name
        self.adapters = launch.adapters
        self._launch = launch
        self._process: Process | None = None
        self._starting: asyncio.Task[None] | None = None
        self._address = Address("", "")
        self._bytes = launch.bytes

    @property
    def kind(self) -> Kind:
        """What runs the model, or is to run it; another than was asked for if that one is unfit."""
        return self._launch.engine

    @property
    def sees(self) -> bool:
        """Whether what runs the model is given pictures."""
        return self._launch.sees

    @property
    def tells_logprobs(self) -> bool:
        """Whether what runs the model tells how likely each token of an answer was."""
        return self._launch.tells_logprobs

    async def __aenter__(self) -> Self:
        await self.address()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def is_running(self) -> bool:
        """Whether the model is in memory or on its way there, or its process ended and nobody has
        noticed."""
        return self._process is not None or self._starting is not None

    @property
    def is_starting(self) -> bool:
        """Whether the model is on its way into memory."""
        return self._starting is not None

    @property
    def memory_bytes(self) -> int:
        """What it takes; before it has run, or where that can't be measured, what was said."""
        if self._launch.is_measured and self._process is not None and self._address.url:
            with contextlib.suppress(OSError, ValueError):  # not Linux, or it has just ended
                pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
                self._bytes = int(pages) * resource.getpagesize()
        return self._bytes

    @property
    def process_id(self) -> int | None:
        """The process that runs the model, if one does."""
        return self._process.pid if self._process else None

    async def address(self) -> Address:
        """Where the engine answers; starts it first if it is not running. A start goes on when who
        asked for it leaves.

        Raises:
            ModelError: the engine can't load the model.
        """
        ended = self._process.returncode if self._process else None
        if self._starting is None and (self._process is None or ended is not None):
            if ended is not None:
                _log.warning("engine %s ended with %s; starting it again", self.name, ended)
            self._starting = asyncio.create_task(self._start())
            self._starting.add_done_callback(self._started)
        if starting := self._starting:
            try:
                await asyncio.shield(starting)
            except asyncio.CancelledError:
                if starting.cancelled():
                    raise ModelError(f"engine {self.name} was stopped as it started") from None
                raise
        return self._address

    def _started(self, task: asyncio.Task[None]) -> None:
        self._starting = None
        if not task.cancelled() and (error := task.exception()):
            _log.warning("engine %s has not started: %s", self.name, type(error).__name__)

    async def _start(self) -> None:
        try:
            await self._launched()
        except ModelError as error:
            otherwise = self._launch.otherwise
            if otherwise is None:
                raise
            instead = f"{otherwise.engine} instead of {self.kind}"
            _log.warning("%s is run by %s: %s", self.name, instead, error)
            self._launch, self._bytes = otherwise, otherwise.bytes
            await self._launched()

    async def _launched(self) -> None:
        key = secrets.token_urlsafe(32)
        with tempfile.TemporaryFile() as log:
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"archipel.serve.{self._launch.module}"),
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
                # OpenMP's default spin makes one busy neighbour cost 18x; so, 2.4x.
                env=config.child_environment(GOMP_SPINCOUNT="400"),
                start_new_session=True,  # Ctrl-C is the parent's to handle
            )
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                request = {**self._launch.request, "api_key": key}
                process.stdin.write(json.dumps(request).encode() + b"\n")
                ready = await self._ready(process.stdout)
                told = json.loads(ready or "{}")
                if "url" not in told:
                    raise ModelError(told.get("unfit") or self._failure(log))
            except BaseException:  # cancelled too: no child may outlive a start that failed
                await self._end()
                raise
        self._address = Address(told["url"], key)
        if about := told.get("about"):
            _log.info("%s is run by %s: %s", self.name, self.kind, about)

    async def _ready(self, output: asyncio.StreamReader) -> bytes:
        """The line that it writes when it has loaded; nothing if it ended instead."""
        reading, seconds = asyncio.create_task(output.readline()), 0.0
        try:
            while not (await asyncio.wait({reading}, timeout=_PROGRESS_SECONDS))[0]:
                seconds += _PROGRESS_SECONDS
                _log.info("engine %s is loading, %.0f s so far", self.name, seconds)
            return reading.result()
        finally:
            reading.cancel()

    async def stop(self) -> None:
        """End the process: its standard input ends, and if that is not enough, it is killed."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait({self._starting})
        await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), self._launch.stop_seconds)
        except (TimeoutError, asyncio.CancelledError):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # a session of its own: see `_start`
            await process.wait()

    def _failure(self, log: BinaryIO) -> str:
        log.seek(max(0, log.seek(0, 2) - _LOG_TAIL_BYTES))
        tail = log.read().decode(errors="replace").strip()
        seen = (
            f" It is to see pictures by {self._launch.projector}: if that is damaged or another "
            'model\'s, give its own as mmproj in its table, or mmproj = "none" to go without.'
            if self._launch.projector
            else ""
        )
        return (
            f"the engine can't load model {self.name!r}. Check that its files are whole, that it "
            f"fits in memory, and its table in --config.{seen} The end of its log:\n{tail}"
        )
