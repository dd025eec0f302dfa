"""What a process that reads people's files does to itself, and how it says what went wrong.

Knows nothing about formats; `child.py` and other programs that read documents apart use it.
"""

import os
import resource
from collections.abc import Callable
from typing import Any, TextIO

from archipel.documents.blocks import Limits
from archipel.documents.collector import too_costly
from archipel.errors import ArchipelError, DocumentCorrupt


def answers_out() -> TextIO:
    """Where answers are written; what libraries print goes to standard error instead."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def confine(limits: Limits, cpu_seconds: int) -> None:
    """Bound this process: memory, processor time in all; no files written, no core left."""
    for kind, value, last in (
        (resource.RLIMIT_AS, limits.memory_bytes, limits.memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 1),  # a signal that says why
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        allowed = last if hard == resource.RLIM_INFINITY else min(last, hard)
        resource.setrlimit(kind, (min(value, allowed), allowed))


def allow_cpu(seconds: int) -> None:
    """From now on this process may use so many seconds more, within what `confine` allowed."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    last = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soon = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (min(soon, last), last))


def outcome(
    name: str, limits: Limits, work: Callable[[], list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """The lines that `work` on the document gives, or the one that says why there are none."""
    try:
        return work()
    except ArchipelError as error:
        return [_failed(error)]
    except MemoryError:
        return [_failed(too_costly(name, f"{limits.memory_bytes:,} bytes of memory"))]
    except RecursionError:
        return [_failed(too_costly(name, "400 parts within parts"))]
    except Exception as error:  # noqa: BLE001 (a damaged file may raise anything in its library)
        return [_failed(_damaged(name, error))]


def _damaged(name: str, error: Exception) -> DocumentCorrupt:
    return DocumentCorrupt(
        f"{name!r} can't be read ({type(error).__name__}: {str(error)[:200]}). It is damaged: "
        "fetch it again, or open and save it in its program."
    )


def _failed(error: ArchipelError) -> dict[str, str]:
    return {"error": type(error).__name__, "message": str(error)}
