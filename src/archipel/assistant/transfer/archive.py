"""The file that a person brings: JSON, or a zip with JSON files in it. Names in it are shown, and
never used as paths.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO

from archipel.assistant.transfer.values import line
from archipel.errors import NotImportable

FILE_BYTES = 2 << 30
READ_BYTES = 8 << 30  # of all files in a zip that are read
_RATIO = 200  # JSON shrinks to a tenth, seldom to a fiftieth
_FREE_BYTES = 64 << 20  # up to which a file may shrink to anything
_DIRECTORY_BYTES = 8 << 20  # of a zip: names of some 60,000 files
_NAME_CHARACTERS = 200
_CONVERSATIONS = re.compile(r"(?:.*/)?(?:conversations(?:-\d+)?|conversations/[^/]+)\.json")


@dataclass(frozen=True)
class Part:
    """A file with conversations: how it is called, its bytes, and how it is opened."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


@dataclass(frozen=True)
class Contents:
    """What a file holds: parts to read, how many other files, and those that are refused."""

    parts: Sequence[Part]
    others: int = 0
    refused: Sequence[tuple[str, NotImportable]] = ()


def contents(file: IO[bytes], name: str, most: int = READ_BYTES) -> Contents:
    """What there is to import.

    Raises:
        NotImportable: it is neither JSON nor a zip, or one that is not to be opened.
    """
    file.seek(0)
    begins = file.read(4)
    size = file.seek(0, io.SEEK_END)
    if not begins.startswith(b"PK"):
        return Contents([Part(name, size, lambda: _from_start(file))])
    with told():
        archive = zipfile.ZipFile(_Careful(file))
        found = sorted(archive.infolist(), key=lambda one: one.filename)
    wanted = [one for one in found if _CONVERSATIONS.fullmatch(one.filename)]
    files = sum(not one.is_dir() for one in found)
    total = sum(one.file_size for one in wanted)
    if total > most:
        raise NotImportable(
            f"its conversations are {total / 1e9:.1f} GB when unpacked, over {most / 1e9:.1f}. "
            "Import them in parts.",
            "too_large",
        )
    refused = [(_shown(one), why) for one in wanted if (why := _why_not(one)) is not None]
    parts = [
        Part(_shown(one), one.file_size, partial(_opened, archive, one))
        for one in wanted
        if _why_not(one) is None
    ]
    return Contents(parts, files - len(wanted), refused)


@contextmanager
def told() -> Iterator[None]:
    """What a broken zip raises, as our error.

    Raises:
        NotImportable: the zip is broken.
    """
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise NotImportable(
            f"the zip is broken: {str(error)[:200]}. Download it again.", "broken_zip"
        ) from error


class _Careful(io.BufferedIOBase):
    """A zip's file; its list of files is read at once, so one that is too long is refused before
    it is in memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            place = self._file.tell()
            size = self._file.seek(0, io.SEEK_END) - place
            self._file.seek(place)
        if size > _DIRECTORY_BYTES:
            raise NotImportable(
                f"the zip lists too many files: over {_DIRECTORY_BYTES >> 20} MiB of names. "
                "Put conversations*.json into one of their own.",
                "too_many_files",
            )
        return self._file.read(size)

    def seek(self, place: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


def _why_not(entry: zipfile.ZipInfo) -> NotImportable | None:
    if entry.flag_bits & 1:
        return NotImportable("it is encrypted. Unpack it, and import what is in it.", "encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return NotImportable("it is packed in another way than zips are.", "broken_zip")
    if entry.file_size > max(_FREE_BYTES, _RATIO * entry.compress_size):
        return NotImportable(
            f"it says that {entry.compress_size:,} bytes unpack to {entry.file_size:,}. If they "
            "do, unpack it and import the file.",
            "bomb",
        )
    return None


def _opened(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> IO[bytes]:
    with told():
        return archive.open(entry)  # which ends where file_size says


def _from_start(file: IO[bytes]) -> IO[bytes]:
    file.seek(0)
    return file


def _shown(entry: zipfile.ZipInfo) -> str:
    return line(entry.filename, _NAME_CHARACTERS) or "?"
