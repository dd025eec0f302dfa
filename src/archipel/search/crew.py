"""Processes that read files side by side: one that a file breaks or holds up is replaced.

Knows nothing about formats or the index.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archipel.config import foreign_environment
from archipel.documents.blocks import Limits, Unread
from archipel.documents.collector import too_costly
from archipel.documents.process import broken, refusal
from archipel.errors import DocumentTooLarge, NotAllowed, NotFound
from archipel.search.texts import Chunk, Text

_LINE_BYTES = 96 << 20  # a chunk may be one row of a table, and that all of a document's characters
_FILES = 500  # that one process reads: libraries keep some memory of each
_LARGE_BYTES = 4 << 20  # after a file of this size a process has more memory than others need


@dataclass(frozen=True, slots=True)
class State:
    """What a file was when it was looked at: if all of it is the same, its bytes are."""

    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that was read, and what it was then."""

    state: State
    text: Text


class Crew:
    """So many readers; whoever asks for one waits until it is free."""

    def __init__(self, readers: int, limits: Limits) -> None:
        self.readers = readers
        self._all = [_Reader(limits) for _ in range(readers)]
        self._free: asyncio.Queue[_Reader] = asyncio.Queue()
        for reader in self._all:
            self._free.put_nowait(reader)

    async def read(self, path: Path) -> Taken:
        """Read the file at `path`.

        Raises:
            DocumentError: of the kind that says why it can't be read.
            NotAllowed: this person may not read it.
            NotFound: it is no longer there, or no file.
        """
        reader = await self._free.get()
        try:
            return await reader.read(path)
        finally:
            self._free.put_nowait(reader)

    async def close(self) -> None:
        """End the processes."""
        for reader in self._all:
            await reader.end()


@contextlib.asynccontextmanager
async def crew_of(readers: int, limits: Limits | None = None) -> AsyncIterator[Crew]:
    """A crew for the time of the block."""
    crew = Crew(readers, limits or Limits())
    try:
        yield crew
    finally:
        await crew.close()


class _Reader:
    """One process, started when it is needed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: asyncio.subprocess.Process | None = None
        self._left = 0

    async def read(self, path: Path) -> Taken:
        answers = await self._asked(path)
        last = answers[-1]
        if "error" in last:
            raise refusal(last)
        if last.get("gone") == "unreadable":
            raise NotAllowed(f"you may not read {path.name!r}. Ask its owner.")
        if "gone" in last:
            raise NotFound(f"{path.name!r} is no longer there.")
        try:
            taken = _taken(answers)
        except (ValueError, KeyError, TypeError) as error:  # no process of ours writes such lines
            await self.end()
            raise broken(path.name, 0) from error
        if taken.state.size > _LARGE_BYTES:
            await self.end()
        return taken

    async def _asked(self, path: Path) -> list[dict[str, Any]]:
        """The process' answers on a file; it ends if they don't come whole."""
        try:
            process = self._process or await self._start()
            async with asyncio.timeout(self._limits.wall_seconds):
                await _send(process, {"path": str(path), "name": path.name})
                answers = await _answers(process, path.name)
        except TimeoutError as error:
            await self.end()
            raise too_costly(path.name, f"{self._limits.wall_seconds} seconds") from error
        except BaseException:
            await self.end()
            raise
        self._left -= 1
        if self._left == 0 or answers[-1].get("error") == DocumentTooLarge.__name__:
            await self.end()
        return answers

    async def _start(self) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "archipel.search.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_LINE_BYTES,
            env=foreign_environment(PYTHONDONTWRITEBYTECODE="1", OPENBLAS_NUM_THREADS="1"),
            start_new_session=True,  # Ctrl-C is for the program that has something to keep
        )
        self._left = _FILES
        await _send(self._process, {"limits": self._limits.to_json(), "files": _FILES})
        return self._process

    async def end(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await process.wait()


async def _send(process: asyncio.subprocess.Process, order: dict[str, Any]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(ConnectionError):  # how it ended is seen when its answer is read
        process.stdin.write(json.dumps(order).encode() + b"\n")
        await process.stdin.drain()


async def _answers(process: asyncio.subprocess.Process, name: str) -> list[dict[str, Any]]:
    """The chunks of a file and the line that ends them.

    Raises:
        DocumentError: the process broke, or wrote what is no answer.
    """
    assert process.stdout is not None
    answers: list[dict[str, Any]] = []
    try:
        while line := await process.stdout.readline():
            answers.append(json.loads(line))
            if "chunk" not in answers[-1]:
                return answers
    except ValueError as error:
        raise broken(name, 0) from error
    raise broken(name, await process.wait())


def _taken(answers: list[dict[str, Any]]) -> Taken:
    *chunks, last = answers
    end = last["text"]
    text = Text(
        str(end["digest"]),
        str(end["suffix"]),
        int(end["size"]),
        str(end["title"]),
        str(end["language"]),
        tuple(Unread.from_json(one) for one in end["unread"]),
        tuple(Chunk.from_json(one["chunk"]) for one in chunks),
    )
    return Taken(State(text.size, int(end["mtime_ns"]), int(end["inode"])), text)
