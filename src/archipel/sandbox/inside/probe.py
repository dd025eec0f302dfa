"""Tries to get out of the sandbox, and tells what it could do: nothing, if the walls hold."""

import contextlib
import ctypes
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

_PR_GET_NO_NEW_PRIVS = 39


def main() -> None:
    """Arguments: a TCP port and an abstract Unix socket's name that listen outside, a file that
    is there outside, a process id outside."""
    port, name, file, process = sys.argv[3:]
    attempts: dict[str, Callable[[], object]] = {
        "reached this machine's network": lambda: socket.create_connection(
            ("127.0.0.1", int(port)), timeout=2
        ),
        "reached a local socket of this machine": lambda: _connect_unix("\0" + name),
        "read a file of this machine": Path(file).read_bytes,
        "read /etc": lambda: Path("/etc/passwd").read_bytes(),
        "saw another process": lambda: os.kill(int(process), 0),
        "saw /proc": lambda: os.listdir("/proc"),  # noqa: PTH208 (no generator)
        "wrote beside its folder": lambda: Path("/harness/written").write_bytes(b""),
        "wrote into /usr": lambda: Path("/usr/written").write_bytes(b""),
        "became root": lambda: os.setresuid(0, 0, 0) if os.getuid() else os.chroot("/tmp"),
        "made a namespace": _make_namespace,
    }
    done = []
    for what, attempt in attempts.items():
        with contextlib.suppress(OSError):
            attempt()
            done.append(what)
    if ctypes.CDLL(None).prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1:
        done.append("kept new privileges possible")
    print(json.dumps(done))  # noqa: T201


def _connect_unix(address: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)


def _make_namespace() -> None:
    new_user = 0x10000000
    if ctypes.CDLL(None, use_errno=True).unshare(new_user) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
