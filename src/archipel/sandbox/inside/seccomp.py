"""The system calls that a sandboxed program may not make, as a seccomp filter.

Namespaces and limits hold without it; it closes what they leave open: namespaces within (which give
back rights), memory that no limit counts, other processes' memory, and sockets that leave a virtual
machine past its network.
"""

import ctypes
import errno
import os
import struct
from typing import NamedTuple


class _Machine(NamedTuple):
    arch: int
    clone: int
    socket: int
    denied: tuple[int, ...]


# From Linux's tables; those from 424 on are the same everywhere.
_MACHINES = {
    "x86_64": _Machine(0xC000003E, 56, 41, (
        165, 166, 155, 161, 272, 308,  # mount, umount2, pivot_root, chroot, unshare, setns
        101, 310, 311,  # ptrace, process_vm_readv, process_vm_writev
        319, 29,  # memfd_create, shmget
        248, 249, 250, 321, 298, 323,  # keys (three), bpf, perf_event_open, userfaultfd
    )),
    "aarch64": _Machine(0xC00000B7, 220, 198, (
        40, 39, 41, 51, 97, 268,
        117, 270, 271,
        279, 194,
        217, 218, 219, 280, 241, 282,
    )),
}  # fmt: skip
# io_uring (three), open_tree … fspick (six), pidfd_getfd, mount_setattr, memfd_secret
_DENIED_EVERYWHERE = [425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442, 447]
_CLONE3 = 435
_NEW_NAMESPACES = 0x7E020000
_X32_BIT = 0x40000000
_FAMILIES = [1, 2, 10]  # AF_UNIX, AF_INET, AF_INET6: inside, they lead nowhere

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16  # offsets in seccomp_data, little-endian
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


def _refuse(number: int) -> tuple[int, int, int, int]:
    return (_RETURN, 0, 0, 0x00050000 | number)


def filter_program(machine: str) -> bytes:
    """The filter for `machine` (`os.uname().machine`) as kernel instructions.

    Raises:
        OSError: the machine's system calls are not known here.
    """
    if machine not in _MACHINES:
        raise OSError(f"no seccomp filter for a {machine} machine")
    calls = _MACHINES[machine]
    steps = [  # code, how far to jump if true, if false, operand
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, calls.arch),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32_BIT),
        _refuse(errno.EPERM),
        (_EQUAL, 0, 1, _CLONE3),
        _refuse(errno.ENOSYS),  # its flags can't be read from here; C libraries then use clone
    ]
    for number in [*calls.denied, *_DENIED_EVERYWHERE]:
        steps += [(_EQUAL, 0, 1, number), _refuse(errno.EPERM)]
    families = len(_FAMILIES)
    steps += [
        (_EQUAL, 0, 3, calls.clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_ANY_BIT, 0, 4 + families, _NEW_NAMESPACES),
        _refuse(errno.EPERM),
        (_EQUAL, 0, 2 + families, calls.socket),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        *((_EQUAL, families - place, 0, family) for place, family in enumerate(_FAMILIES)),
        _refuse(errno.EAFNOSUPPORT),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def install(libc: ctypes.CDLL) -> None:
    """Put the filter on this process and all that it starts, for good.

    Raises:
        OSError: the kernel or the machine has no such filters.
    """
    program = filter_program(os.uname().machine)
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, header, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel took no seccomp filter")
