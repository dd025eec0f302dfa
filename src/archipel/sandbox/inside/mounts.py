"""The sandbox's file system, built by hand where bubblewrap is not: read-only binds and one /tmp.

Runs in a mount namespace of its own, with the rights to mount there.
"""

import ctypes
import os
from pathlib import Path
from typing import Any

_READ_ONLY, _NO_SETUID, _NO_DEVICES = 1, 2, 4
_REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 32, 4096, 16384, 1 << 18
_DETACH = 2
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_OLD_ROOT = "/before"


def build(libc: ctypes.CDLL, view: dict[str, list[tuple[str, str]]], tmp_bytes: int) -> None:
    """Make a root that has nothing but what `view` has `shown` (source, place; read-only), its
    `links` (target, place), and a /tmp of `tmp_bytes` to write to.

    Raises:
        OSError: a step is not allowed here.
    """
    _mount(libc, "none", "/", "", _RECURSIVE | _PRIVATE, "")
    _mount(libc, "tmpfs", "/tmp", "tmpfs", _NO_SETUID | _NO_DEVICES, "mode=0755,size=1m")
    Path("/tmp", _OLD_ROOT[1:]).mkdir()
    pivot_root = ctypes.c_long(_PIVOT_ROOT[os.uname().machine])
    _check(libc.syscall(pivot_root, b"/tmp", f"/tmp{_OLD_ROOT}".encode()), "pivot_root")
    os.chdir("/")
    flags = _NO_SETUID | _NO_DEVICES
    Path("/tmp").mkdir()
    _mount(libc, "tmpfs", "/tmp", "tmpfs", flags, f"mode=1777,size={tmp_bytes}")
    for source, place in view["shown"]:
        _show(libc, _OLD_ROOT + source, place)
    for target, place in view["links"]:
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        Path(place).symlink_to(target)
    _check(libc.umount2(_OLD_ROOT.encode(), _DETACH), "umount2")
    Path(_OLD_ROOT).rmdir()
    _mount(libc, "none", "/", "", _REMOUNT | _BIND | _READ_ONLY | flags, "")


def _show(libc: ctypes.CDLL, source: str, place: str) -> None:
    if Path(source).is_dir():
        Path(place).mkdir(parents=True, exist_ok=True)
        attributes = _READ_ONLY | _NO_SETUID | _NO_DEVICES
    else:
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        Path(place).touch()
        attributes = _READ_ONLY | _NO_SETUID  # /dev/null is one of these
    _mount(libc, source, place, "", _BIND | _RECURSIVE, "")
    wanted = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)  # to set, to clear, propagation, user
    number, directory = ctypes.c_long(_MOUNT_SETATTR), ctypes.c_long(_AT_FDCWD)
    result = libc.syscall(
        number, directory, place.encode(), ctypes.c_long(_AT_RECURSIVE), wanted, ctypes.c_long(32)
    )
    _check(result, f"making {place} read-only")


def _mount(libc: ctypes.CDLL, source: str, place: str, kind: str, flags: int, options: str) -> None:
    words: list[Any] = [source.encode(), place.encode(), kind.encode()]
    _check(libc.mount(*words, ctypes.c_ulong(flags), options.encode()), f"mounting {place}")


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
