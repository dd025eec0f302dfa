"""One pass: what is on the disk against what the index knows, and only what changed is read.

May be stopped at any place: what was read is kept, and the next pass goes on from there.
"""

import asyncio
import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePath

from archipel.errors import ConfigError, DocumentChanged, DocumentError, NotAllowed, NotFound
from archipel.search.crew import Crew, Taken
from archipel.search.index import UNREADABLE, Index, Known
from archipel.search.walk import Closed, Seen, is_within, walk

_COMMIT_SECONDS = 2.0
_PAUSE_SECONDS = 0.12  # after a commit: SQLite lets another writer try every 0.1 s
_TURN_FILES = 32  # after so many that need no reading, others have their turn
_TRIES = 3  # of a file that is written to while it is read

Told = Callable[[int, int], None]  # files done, files to do
Outcome = Taken | DocumentError | NotAllowed | NotFound


@dataclass
class Changes:
    """What differs between the disk and the index; `moved` are (from, to). `denied` are folders
    that this person may not list; `closed` those that don't answer: what is known of them stays."""

    to_read: list[Seen] = field(default_factory=list)
    moved: list[tuple[str, Seen]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)


@dataclass
class Passed:
    """What a pass did: files read anew, refused, known by their bytes, and gone; those that were
    written to all the time, for the next pass; folders that this person may not list, and folders
    that did not answer."""

    read: int = 0
    refused: int = 0
    recognised: int = 0
    gone: int = 0
    restless: list[str] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)


def changes(found: Iterable[Seen | Closed], known: dict[str, Known]) -> Changes:
    """Compare what a walk found with what is known of the same places. Pure."""
    seen: dict[str, Seen] = {}
    result = Changes()
    for one in found:
        if isinstance(one, Seen):
            seen[one.path] = one
        else:
            (result.denied if one.denied else result.closed).append(one.path)
    missing = [path for path in known if path not in seen and not _below(path, result.closed)]
    moved_from = {known[path].state: path for path in missing if known[path].text is not None}
    for path, one in seen.items():
        before = known.get(path)
        if before and before.state == one.state and before.refusal != UNREADABLE:
            continue
        source = moved_from.pop(one.state, None) if before is None else None
        if source and PurePath(source).suffix.lower() == PurePath(path).suffix.lower():
            result.moved.append((source, one))
        else:
            result.to_read.append(one)
    result.gone = missing
    return result


def _below(path: str, folders: Sequence[str]) -> bool:
    return any(path.startswith(f"{folder.rstrip('/')}/") for folder in folders)


async def bring_up_to_date(
    index: Index, places: Sequence[str], crew: Crew, now: datetime, told: Told | None = None
) -> Passed:
    """Make the index agree with what is at and below these places, files or folders.

    Raises:
        DatabaseError: the index can't be written.
    """
    work = _Pass(index, crew, told or (lambda done, of: None))
    try:
        for place in places:
            work.compare(place)
        await work.read()
        index.sweep()
        for place in set(places) - set(work.passed.closed):
            index.checked(place, now)
    finally:
        index.commit()
    return work.passed


class _Pass:
    """A pass under way."""

    def __init__(self, index: Index, crew: Crew, told: Told) -> None:
        self.passed = Passed()
        self._index, self._crew, self._told = index, crew, told
        self._to_read: deque[tuple[Seen, int]] = deque()  # with how often it was tried
        self._read: asyncio.Queue[tuple[Seen, int, Outcome]] = asyncio.Queue(crew.readers)
        self._done, self._committed = 0, time.monotonic()

    def compare(self, place: str) -> None:
        """See what changed there; what needs no reading is written at once."""
        if place in self._index.folders() and not Path(place).is_dir():
            self.passed.closed.append(place)  # a disk that is not there now, perhaps
            return
        known = self._index.files_at(place)
        known = {path: one for path, one in known.items() if is_within(path, place)}
        changed = changes(walk(place), known)
        self.passed.denied += changed.denied
        self.passed.closed += changed.closed
        self.passed.gone += len(changed.gone) - len(changed.moved)
        for source, target in changed.moved:
            text = self._index.files_at(source)[source].text
            assert text is not None
            self._index.refer(target.path, target.state, text)
            self.passed.recognised += 1
        for path in changed.gone:
            self._index.forget(path)
        self._index.commit()
        self._to_read += [(one, 1) for one in changed.to_read]

    async def read(self) -> None:
        """Read what changed, with all readers, and write it down as it comes."""
        try:
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(self._writer())
                while self._to_read:  # again, if the writer put some back
                    await asyncio.gather(*(self._reader() for _ in range(self._crew.readers)))
                    await self._read.join()
                writer.cancel()
        except BaseExceptionGroup as error:
            raise error.exceptions[0] from error

    async def _reader(self) -> None:
        while self._to_read:
            seen, tries = self._to_read.popleft()
            if self._is_settled(seen):
                await self._step()
                continue
            outcome: Outcome
            try:
                outcome = await self._crew.read(Path(seen.path))
            except (DocumentError, NotAllowed, NotFound) as error:
                outcome = error
            await self._read.put((seen, tries, outcome))

    def _is_settled(self, seen: Seen) -> bool:
        """Whether the file needs no reading: its bytes are known, or its name is none."""
        if not seen.is_named:
            error = ConfigError(f"the name of {seen.path!r} is not UTF-8. Rename it.")
            self._index.refuse(seen.path, seen.state, error)
            self.passed.refused += 1
            return True
        same_size = self._index.digests(seen.state.size)
        if not same_size:
            return False
        key = _digest(seen.path), PurePath(seen.path).suffix.lower()
        text = same_size.get(key)
        if text is None:
            return False
        self._index.refer(seen.path, seen.state, text)
        self.passed.recognised += 1
        return True

    async def _writer(self) -> None:
        while True:
            seen, tries, outcome = await self._read.get()
            if isinstance(outcome, DocumentChanged) and tries < _TRIES:
                self._to_read.append((seen, tries + 1))
            else:
                self._write(seen, outcome)
                await self._step()
            self._read.task_done()

    def _write(self, seen: Seen, outcome: Outcome) -> None:
        if isinstance(outcome, Taken):
            self._index.keep(seen.path, outcome.state, outcome.text)
            self.passed.read += 1
        elif isinstance(outcome, NotFound):
            self._index.forget(seen.path)
        elif isinstance(outcome, DocumentChanged):
            self.passed.restless.append(seen.path)
        else:
            self._index.refuse(seen.path, seen.state, outcome)
            self.passed.refused += 1

    async def _step(self) -> None:
        """One file more is done; what was written stays from time to time."""
        self._done += 1
        self._told(self._done, self._done + len(self._to_read))
        if time.monotonic() - self._committed > _COMMIT_SECONDS:
            self._index.commit()
            await asyncio.sleep(_PAUSE_SECONDS)
            self._committed = time.monotonic()
        elif self._done % _TURN_FILES == 0:
            await asyncio.sleep(0)


def _digest(path: str) -> str:
    """The digest of the file's bytes; "" if they can't be read, as the reader will say."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
