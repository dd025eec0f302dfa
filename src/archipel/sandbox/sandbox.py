"""Runs a program in a process apart: no network, no file of the user's, no right, within limits.

What it may do is decided by the kernel, in namespaces that `bwrap` or `unshare` makes; whether they
hold on this machine is tried before the first program runs, and nothing runs where they don't.
"""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from archipel.errors import SandboxError
from archipel.sandbox import walls
from archipel.sandbox.talk import End, Heard, Limits, Talk

_PACKAGE = Path(__file__).parents[2]  # the folder that holds `archipel`
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": walls.WORK,
    "TMPDIR": "/tmp",
    "USER": "work",
    "LOGNAME": "work",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",  # the same order of a set in every run
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_FIRST_UID, _UIDS = 0x60000000, 0x10000000  # far from those that systems and containers give out
_REMEDY = "Install bubblewrap (`apt-get install bubblewrap`), or allow user namespaces."


@dataclass(frozen=True)
class Program:
    """A command, the files (name, text) in its folder, and what it is asked once it has written a
    first line; without a question its standard input is empty."""

    command: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    question: bytes | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Outcome:
    """How a program ended. `status` is its exit status (minus a signal's number), None if it was
    killed for `end`; `answer_seconds` runs from the question to the last byte of the answer."""

    end: End
    status: int | None
    output: bytes
    errors: bytes
    answer_seconds: float | None
    peak_bytes: int | None


@dataclass(frozen=True)
class _Way:
    """A command that builds the walls; `builds_files` if it builds the file system too."""

    name: str
    tool: str
    builds_files: bool


class Sandbox:
    """A tried way to run programs apart, one at a time, so that none disturbs another's timing."""

    def __init__(self, way: _Way, view: walls.Layout) -> None:
        self._way = way
        self._view = view
        self._turn = asyncio.Lock()

    @property
    def name(self) -> str:
        """Which walls they are: bubblewrap or namespaces."""
        return self._way.name

    @classmethod
    async def open(cls, search_path: str | None = None) -> Self:
        """The first way that holds on this machine; tools are looked for in `search_path`.

        Raises:
            SandboxError: there is none; it names what each lacks.
        """
        if sys.platform != "linux":
            raise SandboxError(
                f"code can't be run safely on {sys.platform}: the sandbox needs Linux. "
                "Run Archipel on Linux to have code run."
            )
        view = walls.layout(walls.python_prefixes(), Path.home(), _PACKAGE)
        reasons = []
        for name, tool, builds_files in [
            ("bubblewrap", "bwrap", True),
            ("namespaces", "unshare", False),
        ]:
            if path := shutil.which(tool, path=search_path):
                sandbox = cls(_Way(name, path, builds_files), view)
                reason = await sandbox._try()
                if reason is None:
                    return sandbox
                reasons.append(f"{tool}: {reason}")
            else:
                reasons.append(f"{tool} is not installed")
        raise SandboxError(f"code can't be run safely here ({'; '.join(reasons)}). {_REMEDY}")

    async def run(self, program: Program) -> Outcome:
        """Run `program` to its end or its limits; cancelling kills it and all that it started.

        Raises:
            SandboxError: it could not be started.
        """
        stop = threading.Event()
        async with self._turn:
            running = asyncio.create_task(asyncio.to_thread(self._run, program, stop))
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                stop.set()
                with contextlib.suppress(SandboxError):
                    await running
                raise

    def harness(self, module: str, *words: str) -> tuple[str, ...]:
        """The command that runs a module of `inside` as a program of the sandbox."""
        return tuple(walls.harness_command(sys.executable, walls.HARNESS, module, *words))

    def _run(self, program: Program, stop: threading.Event) -> Outcome:
        """In one thread from start to end: the kernel kills the child when its thread ends."""
        report, write_end = os.pipe()
        with open(report, "rb") as reports:  # noqa: PTH123 (a descriptor)
            try:
                process = subprocess.Popen(
                    self._command(program.limits),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    cwd="/",
                    env={},
                    pass_fds=[write_end],
                    start_new_session=True,
                )
            except OSError as error:
                raise SandboxError(f"can't start {self._way.tool}: {error}. {_REMEDY}") from error
            finally:
                os.close(write_end)
            order = self._order(program, write_end)
            opening = len(order).to_bytes(8, "big") + order
            heard = Talk(process, opening, program.question, program.limits).hold(stop)
            return _outcome(heard, reports.read())

    def _command(self, limits: Limits) -> list[str]:
        root = os.geteuid() == 0
        if self._way.builds_files:
            words = walls.bubblewrap_command(
                self._way.tool, self._view, root=root, tmp_bytes=limits.disk_bytes
            )
            folder = walls.HARNESS
        else:
            setpriv = str(Path(self._way.tool).with_name("setpriv"))  # util-linux has both
            words = walls.namespaces_command(setpriv, self._way.tool, root=root)
            folder = str(_PACKAGE)
        return [*words, *walls.harness_command(sys.executable, folder, "enter")]

    def _order(self, program: Program, report: int) -> bytes:
        order = {
            "mounts": None if self._way.builds_files else asdict(self._view),
            "uid": _FIRST_UID + secrets.randbelow(_UIDS) if os.geteuid() == 0 else None,
            "limits": asdict(program.limits),
            "environment": _ENVIRONMENT,
            "files": dict(program.files),
            "program": program.command,
            "report": report,
        }
        return json.dumps(order).encode()

    async def _try(self) -> str | None:
        """What a program could do that it may not, or why none starts; None if all is well."""
        name = f"archipel-{secrets.token_hex(8)}"
        with (
            socket.create_server(("127.0.0.1", 0)) as tcp,
            socket.socket(socket.AF_UNIX) as unix,
            tempfile.NamedTemporaryFile() as file,
        ):
            unix.bind("\0" + name)
            unix.listen()
            words = [str(tcp.getsockname()[1]), name, file.name, str(os.getpid())]
            outcome = await self.run(Program(self.harness("probe", *words)))
        return _judge(outcome)


def _outcome(heard: Heard, report: bytes) -> Outcome:
    used = json.loads(report) if report and heard.end == "exit" else {}
    return Outcome(
        end=heard.end,
        status=used.get("status"),
        output=bytes(heard.output),
        errors=bytes(heard.errors),
        answer_seconds=heard.answer_seconds,
        peak_bytes=used.get("peak_bytes"),
    )


def _judge(outcome: Outcome) -> str | None:
    if outcome.status != 0:
        said = outcome.errors.decode(errors="replace").strip().splitlines()
        return said[-1][:300] if said else f"the trial ended with {outcome.status}"
    done: Sequence[str] = json.loads(outcome.output)
    return f"a program inside {', '.join(done)}" if done else None
