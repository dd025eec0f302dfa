"""A talk with a process through its pipes, until it ends or goes over a limit, and is killed.

Knows nothing about sandboxes, but that the process leads a group, and takes with it all else that
it started when it is killed.
"""

import contextlib
import math
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

End = Literal["exit", "time", "silence", "output", "memory", "processes", "stopped"]

_TICK_SECONDS = 0.05
_CHUNK_BYTES = 1 << 16
_DYING_SECONDS = 10.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass(frozen=True)
class Limits:
    """How much one run may use. `memory_bytes` counts for each process by its address space and
    for all together by what is resident; `disk_bytes` is the size of /tmp, which is in memory."""

    wall_seconds: float = 20
    silent_seconds: float | None = None
    cpu_seconds: int = 20
    memory_bytes: int = 1 << 30
    processes: int = 32
    open_files: int = 64
    output_bytes: int = 8 << 20
    file_bytes: int = 64 << 20
    disk_bytes: int = 128 << 20


@dataclass
class Heard:
    """What a process said, why the talk ended, and how long it took from the question to the
    last word on standard output."""

    end: End = "exit"
    output: bytearray = field(default_factory=bytearray)
    errors: bytearray = field(default_factory=bytearray)
    answer_seconds: float | None = None


class Talk:
    """One process: `opening` goes to its standard input; `question` follows it once the process
    has written its first line, and is timed."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        opening: bytes,
        question: bytes | None,
        limits: Limits,
    ) -> None:
        self._process = process
        self._to_send = memoryview(opening)
        self._question = question
        self._limits = limits
        self._asked_at: float | None = None
        self._next_look = 0.0
        self._heard = Heard()
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        os.set_blocking(self._stdin.fileno(), False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stdin, selectors.EVENT_WRITE)
        self._selector.register(self._stdout, selectors.EVENT_READ)
        self._selector.register(self._stderr, selectors.EVENT_READ)

    def hold(self, stop: threading.Event) -> Heard:
        """Talk until the process has ended; setting `stop` kills it."""
        self._last_heard = time.perf_counter()
        deadline = self._last_heard + self._limits.wall_seconds
        dead = math.inf
        with self._selector, self._stdin, self._stdout, self._stderr:
            while self._reading() and time.perf_counter() < dead:
                for key, _ in self._selector.select(_TICK_SECONDS):
                    if key.fileobj is self._stdin:
                        self._send()
                    else:
                        self._read(key.fd)
                if self._heard.end == "exit" and (end := self._exceeded(deadline, stop)):
                    self._heard.end = end
                    self._kill()
                    dead = time.perf_counter() + _DYING_SECONDS
            self._kill()
        self._process.wait()
        return self._heard

    def _kill(self) -> None:
        """The process, and what it has started but not yet bound to its own life."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()

    def _reading(self) -> bool:
        registered = [key.fileobj for key in self._selector.get_map().values()]
        return self._stdout in registered or self._stderr in registered

    def _send(self) -> None:
        try:
            sent = os.write(self._stdin.fileno(), self._to_send)
        except BrokenPipeError:
            self._leave(self._stdin)
            return
        self._to_send = self._to_send[sent:]
        if not self._to_send:
            self._selector.unregister(self._stdin)
            if self._question is None or self._asked_at is not None:
                self._stdin.close()

    def _read(self, descriptor: int) -> None:
        data = os.read(descriptor, _CHUNK_BYTES)
        now = self._last_heard = time.perf_counter()
        stream = self._stdout if descriptor == self._stdout.fileno() else self._stderr
        if not data:
            self._leave(stream)
        if not data or self._heard.end != "exit":
            return
        if stream is self._stderr:
            self._heard.errors += data
            return
        self._heard.output += data
        if self._asked_at is not None:
            self._heard.answer_seconds = now - self._asked_at
        elif self._question is not None and b"\n" in self._heard.output:
            self._asked_at = time.perf_counter()
            self._to_send = memoryview(self._question)
            self._selector.register(self._stdin, selectors.EVENT_WRITE)

    def _leave(self, stream: object) -> None:
        self._selector.unregister(stream)  # type: ignore[arg-type]

    def _exceeded(self, deadline: float, stop: threading.Event) -> End | None:
        limits, now = self._limits, time.perf_counter()
        if stop.is_set():
            return "stopped"
        if now >= deadline:
            return "time"
        silent = now - self._last_heard
        if limits.silent_seconds is not None and silent > limits.silent_seconds:
            return "silence"
        if len(self._heard.output) + len(self._heard.errors) > limits.output_bytes:
            return "output"
        if now < self._next_look:
            return None
        self._next_look = now + _TICK_SECONDS
        processes = list(family(self._process.pid))
        if len(processes) > limits.processes + _OWN_PROCESSES:
            return "processes"
        if sum(map(_resident_bytes, processes)) > limits.memory_bytes:
            return "memory"
        return None


_OWN_PROCESSES = 4  # bwrap twice, or setpriv and unshare, then `enter`


def family(process: int) -> Iterator[int]:
    """`process` and what descends from it."""
    yield process
    for child in _children(process):
        yield from family(child)


def _children(process: int) -> list[int]:
    """What each of its threads has started; nothing if it has ended meanwhile."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            found += map(int, (thread / "children").read_bytes().split())
    return found


def _resident_bytes(process: int) -> int:
    """The memory of `process` that is not a file's."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{process}/statm").read_bytes().split()
    except OSError:
        return 0
    return (int(resident) - int(shared)) * _PAGE_BYTES
