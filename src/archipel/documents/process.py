"""A process apart for a document that may crash, hang or grow what reads it.

Knows nothing about formats; the process is `child.py`, and only lines of JSON come back from it.
"""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from archipel import errors
from archipel.config import foreign_environment
from archipel.documents.blocks import Limits
from archipel.documents.collector import too_costly, too_large
from archipel.errors import ArchipelError, ConfigError, DocumentCorrupt, DocumentError

_LINE_BYTES = 96 << 20  # a block is at most all of a document's characters; a file, in base64
_REFUSALS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, DocumentError | ConfigError)
}


def order_on(path: Path, name: str, limits: Limits) -> dict[str, Any]:
    """What every order has: the file at `path`, which the person knows as `name`, and the limits.

    Raises:
        ConfigError: the file can't be opened.
        DocumentTooLarge: it has too many bytes.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ConfigError(f"can't read {name!r}: {error.strerror}. Check the file.") from error
    if size > limits.input_bytes:
        raise too_large(name, f"{limits.input_bytes:,} bytes")
    return {"path": str(path.resolve()), "name": name, "limits": limits.to_json()}


@asynccontextmanager
async def answers_of(
    order: dict[str, Any], limits: Limits
) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """The lines of a process that follows `order`; it is gone when the block ends.

    Raises:
        DocumentError, ConfigError: what the process says, or what its end means.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "archipel.documents.child"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LINE_BYTES,
        env=foreign_environment(PYTHONDONTWRITEBYTECODE="1", OPENBLAS_NUM_THREADS="1"),
    )
    try:
        async with asyncio.timeout(limits.wall_seconds):
            yield _lines(process, order)
    except (ValueError, KeyError, TypeError) as error:  # no process of ours writes such lines
        raise broken(order["name"], process.returncode or 0) from error
    except TimeoutError as error:
        raise too_costly(order["name"], f"{limits.wall_seconds} seconds") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _lines(
    process: asyncio.subprocess.Process, order: dict[str, Any]
) -> AsyncIterator[dict[str, Any]]:
    """Its answers, once it has taken the order.

    Raises:
        DocumentError, ConfigError: what the process says, or what its end means.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(order).encode() + b"\n")
    process.stdin.close()
    finished = False
    while line := await process.stdout.readline():
        answer = json.loads(line)
        if "error" in answer:
            await process.wait()
            raise refusal(answer)
        finished = answer.keys().isdisjoint(("block", "stretch"))
        yield answer
    status = await process.wait()  # to kill one that is ending confuses asyncio's watcher
    if not finished:
        raise broken(order["name"], status)


def refusal(answer: dict[str, str]) -> ArchipelError:
    """The error that a process says."""
    return _REFUSALS.get(answer["error"], DocumentCorrupt)(answer["message"])


def broken(name: str, status: int) -> DocumentError:
    """What it means that the process ended before its answer on the document `name` did."""
    if -status in (signal.SIGXCPU, signal.SIGKILL):
        return too_costly(name, "the allowed processor time or memory")
    return DocumentCorrupt(
        f"{name!r} broke the program that reads it (status {status}). It is damaged: fetch "
        "it again, or open and save it in its program."
    )
