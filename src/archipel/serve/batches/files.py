"""Files of projects: bytes in a store, in pieces, and a row in the database.

The bytes go first and the row last, so that a file which exists is complete. When a file goes, its
row is first; bytes without a row, because a process was killed in between, are swept a day later.
All of it blocks: call it from threads.
"""

import hashlib
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from archipel.database import Database
from archipel.errors import IntegrityError, StoreError
from archipel.serve.accounts.tables import batches, files, projects
from archipel.serve.api_error import ApiError
from archipel.serve.batches.pages import Page, rows
from archipel.serve.setting_tables import FilesTable
from archipel.store import Objects

LIVE = ("validating", "in_progress", "finalizing", "cancelling")  # of batches: they need a file
_PIECE_BYTES = 1 << 20  # each batch that is worked on has one in memory
_FOLDER = "files"
_ORPHAN_AGE = timedelta(days=1)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Written:
    """Bytes that are in the store. `digests` are the SHA-256 of their pieces."""

    id: str
    size_bytes: int
    digests: Sequence[str]


@dataclass(frozen=True)
class About:
    """What is said of a file when it is made. `keep_seconds`: None for what the settings say."""

    project: int
    name: str
    purpose: str
    keep_seconds: float | None = None


@dataclass(frozen=True)
class File:
    """A file that exists. Times are seconds since the epoch."""

    id: str
    name: str
    purpose: str
    size_bytes: int
    digests: Sequence[str]
    created: float
    expires: float

    def shown(self) -> dict[str, Any]:
        """In OpenAI's shape."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": self.size_bytes,
            "created_at": int(self.created),
            "expires_at": int(self.expires),
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


class Files:
    """All files of one service. `clock` gives seconds since the epoch."""

    def __init__(
        self, database: Database, store: Objects, limits: FilesTable, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self.most_bytes = limits.file_megabytes * 1_000_000
        self._most_project_bytes = int(limits.project_gigabytes * 1e9)
        self._keep_seconds = limits.keep_days * 24 * 3600

    def check_room(self, project: int, size_bytes: int) -> None:
        """Whether a file may come that is to be so large.

        Raises:
            ApiError: its project has no room for it.
        """
        with self._database.reading() as connection:
            self._check_room(connection, project, size_bytes)

    def add(self, about: About, source: Iterable[bytes]) -> File:
        """Keep a client's file.

        Raises:
            ApiError: its project has no room for it.
            StoreError, DatabaseError: it can't be kept; nothing of it is there.
        """
        written = self.write(source)
        try:
            with self._database.writing() as connection:
                return self.enter_clients(connection, about, written)
        except BaseException:
            self.drop(written)
            raise

    def write(self, source: Iterable[bytes]) -> Written:
        """Put bytes into the store: no file yet.

        Raises:
            StoreError: the store refuses; what it had taken is taken out again.
        """
        id, size, digests = f"file-{uuid.uuid4().hex}", 0, list[str]()
        try:
            for piece in _pieces(source):
                size += len(piece)
                self._store.put(_key(id, len(digests)), piece)
                digests.append(hashlib.sha256(piece).hexdigest())
        except BaseException:
            self.drop(Written(id, size, [*digests, ""]))  # the last may be there too
            raise
        return Written(id, size, digests)

    def enter_clients(self, connection: Connection, about: About, written: Written) -> File:
        """As `enter`, of what a client sent.

        Raises:
            ApiError: its project has no room for it.
        """
        row = select(projects.c.id).where(projects.c.id == about.project)
        connection.execute(row.with_for_update())  # one after the other
        self._check_room(connection, about.project, written.size_bytes)
        return self.enter(connection, about, written)

    def enter(self, connection: Connection, about: About, written: Written) -> File:
        """Make a file of bytes that are in the store, in the transaction that is given."""
        now = self._clock()
        keep = min(self._keep_seconds, about.keep_seconds or self._keep_seconds)
        size, digests = written.size_bytes, written.digests
        file = File(written.id, about.name, about.purpose, size, digests, now, now + keep)
        fields = {"project": about.project, "name": file.name, "purpose": file.purpose}
        times = {"created": now, "expires": file.expires}
        its = {"id": file.id, "bytes": size, "digests": list(digests)}
        connection.execute(files.insert().values(**fields, **times, **its))
        return file

    def drop(self, written: Written) -> None:
        """Take bytes out of the store for which there is no row."""
        try:
            self._store.delete(_key(written.id, n) for n in range(len(written.digests)))
        except StoreError as error:
            _log.warning("bytes of %s stay for now: %s", written.id, error)

    def find(self, project: int, id: str) -> File:
        """A file of a project.

        Raises:
            ApiError: it has none of this id.
        """
        with self._database.reading() as connection:
            return self.found(connection, project, id)

    def find_input(self, project: int, id: str) -> File:
        """As `find`, of what a batch reads: it is there until the batch ends."""
        its = select(files).where(files.c.id == id, files.c.project == project)
        with self._database.reading() as connection:
            return _only(connection.execute(its).one_or_none(), id)

    def found(self, connection: Connection, project: int, id: str, *, locks: bool = False) -> File:
        """As `find`, in a transaction; with `locks` the file stays until that ends."""
        wanted = select(files).where(files.c.id == id, files.c.project == project)
        wanted = wanted.where(files.c.expires > self._clock())
        row = connection.execute(wanted.with_for_update() if locks else wanted).one_or_none()
        return _only(row, id)

    def list(self, project: int, page: Page, purpose: str | None) -> tuple[list[File], bool]:
        """A page of a project's files, and whether there are more."""
        where = [files.c.project == project, files.c.expires > self._clock()]
        if purpose is not None:
            where.append(files.c.purpose == purpose)
        with self._database.reading() as connection:
            found, has_more = rows(connection, files, page, *where)
        return [_file(row) for row in found], has_more

    def remove(self, project: int, id: str) -> None:
        """Delete a file.

        Raises:
            ApiError: the project has none of this id, or a batch still reads it.
        """
        with self._database.writing() as connection:
            file = self.found(connection, project, id, locks=True)
            if _is_read(connection, id):
                message = f"A batch reads {id!r}. Cancel the batch first, or wait for its end."
                raise ApiError(409, message, "file_in_use")
            connection.execute(files.delete().where(files.c.id == id))
        self.drop(Written(file.id, file.size_bytes, file.digests))

    def remove_some(
        self, connection: Connection, project: int, ids: Sequence[str]
    ) -> Sequence[Written]:
        """Delete those of a project's files that are there and that no batch reads, in the
        transaction that is given. Their bytes are to be dropped once it has ended."""
        its = select(files).where(files.c.project == project, files.c.id.in_(ids))
        return _removed(connection, its.with_for_update())

    def pieces(self, file: File) -> Iterator[bytes]:
        """A file's bytes, each piece checked before it is given.

        Raises:
            IntegrityError: they are not what was kept.
            StoreError: the store can't be read.
        """
        for number, digest in enumerate(file.digests):
            piece = self._store.get_part(_key(file.id, number))
            if piece is None or hashlib.sha256(piece).hexdigest() != digest:
                what = "lacks" if piece is None else "was altered in"
                raise IntegrityError(
                    f"{file.id} {what} piece {number} in {self._store.url}. Restore it there from "
                    "a copy, or have the file sent again."
                )
            yield piece

    def sweep(self) -> None:
        """Delete files whose time is over, and old bytes that belong to none."""
        with self._database.writing() as connection:
            over = select(files).where(files.c.expires <= self._clock())
            gone = _removed(connection, over)
        for written in gone:
            self.drop(written)
        before = datetime.fromtimestamp(self._clock(), UTC) - _ORPHAN_AGE
        old = [info.key for info in self._store.list(_FOLDER) if info.modified < before]
        with self._database.reading() as connection:
            known = set(connection.execute(select(files.c.id)).scalars())
        self._store.delete(key for key in old if key.split("/")[1] not in known)

    def _check_room(self, connection: Connection, project: int, size_bytes: int) -> None:
        wanted = select(func.coalesce(func.sum(files.c.bytes), 0)).where(files.c.project == project)
        held = int(connection.execute(wanted).scalar_one())
        if held + size_bytes > self._most_project_bytes:
            most = f"{self._most_project_bytes / 1e9:g} GB"
            raise ApiError(
                413,
                f"The project's files may have {most} and have {held / 1e9:.3f} GB. Delete some.",
                "project_full",
            )


def _only(row: Row[Any] | None, id: str) -> File:
    if row is None:
        raise ApiError(404, f"There is no file {id!r}.", "file_not_found", "file_id")
    return _file(row)


def _file(row: Row[Any]) -> File:
    what = (row.id, row.name, row.purpose, row.bytes, row.digests)
    return File(*what, row.created, row.expires)


def _removed(connection: Connection, wanted: Select[Any]) -> list[Written]:
    """Bytes of files that were deleted, as no batch reads them."""
    found = connection.execute(wanted).all()
    gone = [row for row in found if not _is_read(connection, row.id)]
    for row in gone:
        connection.execute(files.delete().where(files.c.id == row.id))
    return [Written(row.id, row.bytes, row.digests) for row in gone]


def _is_read(connection: Connection, id: str) -> bool:
    its = select(batches.c.id).where(batches.c.input_file == id, batches.c.status.in_(LIVE))
    return connection.execute(its.limit(1)).first() is not None


def _key(id: str, number: int) -> str:
    return f"{_FOLDER}/{id}/{number:04d}"


def _pieces(source: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of one size, the last shorter."""
    held = bytearray()
    for some in source:
        held += some
        while len(held) >= _PIECE_BYTES:
            yield bytes(held[:_PIECE_BYTES])
            del held[:_PIECE_BYTES]
    if held:
        yield bytes(held)
