"""The sandbox holds what it promises, behind each kind of walls that this machine has."""

import asyncio
import os
import select
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from archipel.errors import SandboxError
from archipel.sandbox.sandbox import Outcome, Program, Sandbox
from archipel.sandbox.talk import Limits, family
from tests.conftest import missing


def _tools(folder: Path, *names: str) -> str:
    """A search path with only these tools."""
    for name in names:
        if path := shutil.which(name):
            (folder / name).symlink_to(path)
    return str(folder)


@dataclass
class Box:
    """A sandbox for tests: runs Python text in it."""

    sandbox: Sandbox
    limits: Limits = field(default_factory=lambda: Limits(wall_seconds=15))

    def run(self, code: str, **limits: float) -> Outcome:
        return asyncio.run(self.sandbox.run(self.program(code, **limits)))

    def program(self, code: str, **limits: float) -> Program:
        command = (sys.executable, "-c", textwrap.dedent(code))
        return Program(command, limits=Limits(**{"wall_seconds": 15, **limits}))

    def refused(self, code: str) -> str:
        """The class of the exception that `code` ends with."""
        outcome = self.run(code)
        assert outcome.status == 1, outcome
        return outcome.errors.decode().strip().splitlines()[-1].split(":")[0]


@pytest.fixture(scope="module", params=["bwrap", "unshare"])
def box(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Box:
    folder = tmp_path_factory.mktemp("tools")
    try:
        path = _tools(folder, request.param, "setpriv")
        return Box(asyncio.run(Sandbox.open(path)))
    except SandboxError as error:
        missing(f"{request.param} that makes a sandbox ({error})")
        raise


def test_a_program_runs_with_its_files_and_an_empty_environment(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "do-not-show")
    code = "import os, half; print(half.of(8), os.getcwd(), sorted(os.environ))"
    program = box.program(code)
    files = {"half.py": "def of(x): return x / 2\n"}
    outcome = asyncio.run(box.sandbox.run(Program(program.command, files)))
    assert (outcome.end, outcome.status) == ("exit", 0), outcome
    assert outcome.output.startswith(b"4.0 /tmp/work ")
    assert b"SECRET" not in outcome.output
    assert b"ARCHIPEL" not in outcome.output
    assert outcome.peak_bytes is not None
    assert 1 << 20 < outcome.peak_bytes < 100 << 20


def test_no_network(box: Box) -> None:
    connect = "import socket; socket.create_connection(({!r}, 53), timeout=3)"
    assert box.refused(connect.format("1.1.1.1")) == "OSError"
    assert box.refused(connect.format("example.org")) == "socket.gaierror"
    send = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'x', {})"
    assert box.refused(send.format(("8.8.8.8", 53))) == "OSError"
    assert box.refused("import socket; socket.socket(socket.AF_VSOCK)") == "OSError"


def test_no_file_of_the_users(box: Box, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    for path in ["/etc/passwd", str(secret), __file__, "/proc/self/environ", "/sys/kernel"]:
        assert box.refused(f"print(open({path!r}).read())") == "FileNotFoundError", path
    home = box.run(
        f"import os; print([n for n in os.listdir({str(Path.home())!r}) if n[0] != '.'])"
    )
    assert home.output.strip() in (b"[]", b""), home


def test_nothing_to_write_to_but_tmp(box: Box) -> None:
    for path in ["/x", "/usr/x", "/dev/x", "/harness/x", f"{sys.prefix}/x"]:
        assert box.refused(f"open({path!r}, 'w')") in ("OSError", "PermissionError"), path
    assert box.run("open('/tmp/x', 'w').write('x'); open('y', 'w').write('y')").status == 0


def test_nothing_left_from_the_program_before(box: Box) -> None:
    assert box.run("open('/tmp/left', 'w').write('x')").status == 0
    assert box.refused("open('/tmp/left')") == "FileNotFoundError"


def test_no_descriptor_is_inherited(box: Box) -> None:
    outcome = box.run("""
        import os
        for number in range(200):
            try:
                os.fstat(number)
                print(number)
            except OSError:
                pass
        """)
    assert outcome.output.split() == [b"0", b"1", b"2"]


def test_no_new_privileges_and_no_right(box: Box) -> None:
    outcome = box.run("""
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        print(libc.prctl(39, 0, 0, 0, 0))
        print([libc.prctl(23, capability, 0, 0, 0) for capability in range(38)].count(1))
        for call in (lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
                     lambda: libc.unshare(0x10000000), lambda: libc.ptrace(16, os.getppid(), 0, 0),
                     lambda: libc.chroot(b"/tmp"), lambda: libc.memfd_create(b"x", 0)):
            print(call())
        """)
    assert outcome.output.split() == [b"1", b"0", b"-1", b"-1", b"-1", b"-1", b"-1"], outcome


def test_killing_all_that_it_sees_kills_only_itself(box: Box) -> None:
    outcome = box.run("import os; os.kill(-1, 9); print('still here')")
    assert outcome.end == "exit"
    assert box.run("print(1)").output == b"1\n"


def test_an_infinite_loop_ends(box: Box) -> None:
    assert box.run("while True: pass", wall_seconds=0.7).end == "time"
    assert box.run("while True: pass", cpu_seconds=1).status == -signal.SIGKILL


def test_silence_ends(box: Box) -> None:
    code = "import time; print('so far', flush=True); time.sleep(60)"
    outcome = box.run(code, silent_seconds=0.5)
    assert (outcome.end, outcome.output) == ("silence", b"so far\n")


def test_a_memory_bomb_ends(box: Box) -> None:
    assert box.refused("x = bytearray(3 << 30)") == "MemoryError"
    outcome = box.run(
        """
        import os, time
        for _ in range(8):
            if os.fork() == 0:
                break
        x = bytearray(os.urandom(1 << 20)) * 60
        time.sleep(30)
        """,
        memory_bytes=300 << 20,
    )
    assert outcome.end == "memory", outcome


def test_a_fork_bomb_ends(box: Box) -> None:
    outcome = box.run(
        """
        import os, signal
        started = 0
        try:
            while True:
                if os.fork() == 0:
                    signal.pause()
                started += 1
        except OSError:
            print(started)
        """,
        processes=12,
    )
    assert 0 < int(outcome.output) <= 12, outcome
    bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    assert box.run(bomb, wall_seconds=1, processes=12).end == "time"
    assert box.run("print(1)").output == b"1\n"


def test_a_gigabyte_of_output_ends(box: Box) -> None:
    outcome = box.run("import os\nfor _ in range(1 << 14): os.write(1, bytes(1 << 16))")
    assert outcome.end == "output"
    assert len(outcome.output) < 32 << 20


def test_a_huge_file_ends(box: Box) -> None:
    huge = "f = open('huge', 'wb')\nwhile True: f.write(bytes(1 << 20))"
    limits = {"file_bytes": 8 << 20, "disk_bytes": 16 << 20}
    outcome = box.run(huge, **limits)
    assert (outcome.status, b"File too large" in outcome.errors) == (1, True), outcome
    many = "for n in range(99):\n    with open(f'{n}', 'wb') as f: f.write(bytes(4 << 20))"
    outcome = box.run(many, **limits)
    assert (outcome.status, b"No space left" in outcome.errors) == (1, True), outcome
    shared = "f = open('/dev/shm/x', 'wb')\nwhile True: f.write(bytes(1 << 20))"
    assert box.run(shared, **limits).status == 1


def test_cancelling_kills(box: Box) -> None:
    async def cancel() -> None:
        await asyncio.wait_for(box.sandbox.run(box.program("import time; time.sleep(60)")), 0.5)

    before, started = set(family(os.getpid())), time.monotonic()  # a browser of other tests
    with pytest.raises(TimeoutError):
        asyncio.run(cancel())
    assert time.monotonic() - started < 8
    assert set(family(os.getpid())) <= before


def test_programs_take_turns(box: Box) -> None:
    async def both() -> list[Outcome]:
        sandbox = await Sandbox.open(os.path.dirname(box.sandbox._way.tool))  # noqa: PTH120
        return await asyncio.gather(*(sandbox.run(box.program(f"print({n})")) for n in range(3)))

    assert [outcome.output for outcome in asyncio.run(both())] == [b"0\n", b"1\n", b"2\n"]


def test_it_dies_with_us(box: Box) -> None:
    script = f"""
        import asyncio, sys
        from archipel.sandbox.sandbox import Program, Sandbox
        async def main():
            sandbox = await Sandbox.open({str(Path(box.sandbox._way.tool).parent)!r})
            print("open", flush=True)
            await sandbox.run(Program((sys.executable, "-c", "import time; time.sleep(77)")))
        asyncio.run(main())
        """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"open\n"
        members = _await_family(parent.pid, lambda command: b"time.sleep(77)" in command)
        handles = [os.pidfd_open(process) for process in members if process != parent.pid]
        parent.kill()
        parent.wait()
    for handle in handles:
        assert select.select([handle], [], [], 10)[0], "a process of the sandbox lives on"
        os.close(handle)


def _await_family(process: int, wanted: Callable[[bytes], bool]) -> list[int]:
    """The processes under `process` once one of them runs the wanted command."""
    while True:
        members = list(family(process))
        for member in members[1:]:
            try:
                command = Path(f"/proc/{member}/cmdline").read_bytes()
            except OSError:
                continue
            if wanted(command) and b"asyncio" not in command:
                return list(family(process))


def test_walls_with_a_hole_are_not_used(tmp_path: Path) -> None:
    real = shutil.which("bwrap")
    if real is None:
        missing("bubblewrap")
    (tmp_path / "bwrap").write_text(
        f'#!/bin/bash\nexec {real} "${{@/--unshare-net/--unshare-uts}}"\n', encoding="utf-8"
    )
    (tmp_path / "bwrap").chmod(0o755)
    with pytest.raises(SandboxError, match="a program inside reached this machine's network"):
        asyncio.run(Sandbox.open(str(tmp_path)))


def test_without_walls_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SandboxError, match=r"bwrap is not installed.*apt-get install bubblewrap"):
        asyncio.run(Sandbox.open(str(tmp_path)))
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxError, match="on darwin: the sandbox needs Linux"):
        asyncio.run(Sandbox.open())
