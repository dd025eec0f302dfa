"""The sandbox's first process: sets the limits, gives up every right, starts the program, waits.

It reads its order from standard input, whose rest is the program's: eight bytes of length, then
JSON. When the program has ended it writes to the report's descriptor, which the program never has,
how it ended and what it used.
"""

import ctypes
import json
import os
import resource
import signal
import struct
from pathlib import Path
from typing import Any, NoReturn

from archipel.sandbox.inside import mounts, seccomp

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_CAPABILITY_VERSION_3 = 0x20080522


def main() -> None:
    """Obey the order on standard input."""
    order = json.loads(_read_exactly(int.from_bytes(_read_exactly(8), "big")))
    libc = ctypes.CDLL(None, use_errno=True)
    if order["mounts"]:
        mounts.build(libc, order["mounts"], order["limits"]["disk_bytes"])
    _give_up_rights(libc, order["uid"])
    work = Path(order["environment"]["HOME"])
    work.mkdir()
    os.chdir(work)
    for name, text in order["files"].items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
    program = os.fork()
    if program == 0:
        _become_program(libc, order)
    _wait(program, order["report"])


def _read_exactly(length_bytes: int) -> bytes:
    data = b""
    while len(data) < length_bytes:
        piece = os.read(0, length_bytes - len(data))
        if not piece:
            raise EOFError("the order broke off")
        data += piece
    return data


def _give_up_rights(libc: ctypes.CDLL, uid: int | None) -> None:
    """Keep no capability and, where we are root, become the user `uid`, whom nothing belongs to."""
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for capability in range(64):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # beyond the last one it fails
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header, none = struct.pack("Ii", _CAPABILITY_VERSION_3, 0), bytes(24)
    if libc.capset(header, none) != 0:
        raise OSError(ctypes.get_errno(), "capabilities could not be given up")
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # another user: the old one is forgotten
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _become_program(libc: ctypes.CDLL, order: dict[str, Any]) -> NoReturn:
    limits = order["limits"]
    for kind, limit in [
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_CORE, 0),
    ]:
        resource.setrlimit(kind, (limit, limit))
    os.setsid()
    os.closerange(3, 1 << 20)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    seccomp.install(libc)
    os.execve(order["program"][0], order["program"], order["environment"])


def _wait(program: int, report: int) -> NoReturn:
    """Take leave of every process, ours or orphaned, until the program's turn."""
    ended = 0
    while ended != program:
        ended, status, usage = os.wait4(-1, 0)
    record = {
        "status": os.waitstatus_to_exitcode(status),
        "peak_bytes": usage.ru_maxrss << 10,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
    }
    os.write(report, json.dumps(record).encode())
    os._exit(0)
