"""The files that tasks read: looked for in a folder and the folders in it, plain or compressed.

Knows nothing about what they hold.
"""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archipel.errors import ConfigError

_OPEN: Mapping[str, Any] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
_MOST_BYTES = 1 << 30  # of one file, decompressed
_BROKEN = (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error, zipfile.BadZipFile)


@dataclass(frozen=True)
class Data:
    """A folder with data, if there is one, and one that is looked in before it; `field` holds the
    text in JSON Lines and Parquet."""

    folder: Path | None
    field: str = "text"
    made: Path | None = None

    def find(self, name: str) -> Path:
        """The file of this name, in a folder or one level below.

        Raises:
            ConfigError: it is not there, or no folder was given.
        """
        folders = [one for one in (self.made, self.folder) if one is not None]
        if not folders:
            raise ConfigError(
                f"{name} is needed, and nothing says where data lies. Give its folder with --data, "
                "or set ARCHIPEL_DATA."
            )
        for folder in folders:
            for path in (folder / name, *sorted(folder.glob(f"*/{name}"))):
                if path.is_file():
                    return path
        raise ConfigError(
            f"{name} is neither in {' nor in '.join(map(str, folders))} nor in a folder there. Put "
            "it there, or give another folder with --data."
        )

    def given(self, path: str) -> Path:
        """A path as a person gives it: a mere name of what is not here is looked for as `find`
        does."""
        place = Path(path).expanduser()
        is_found = place.exists() or place.name != path or not (self.folder or self.made)
        return place if is_found else self.find(path)


def read_text(path: Path) -> str:
    """The text in a file, decompressed by its suffix.

    Raises:
        ConfigError: it can't be read, is damaged, too large or not UTF-8.
    """
    try:
        with _OPEN.get(path.suffix, open)(path, "rb") as file:
            return _whole(file, str(path))
    except _BROKEN as error:
        raise _unreadable(path, error) from error


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """The objects in a file of JSON Lines.

    Raises:
        ConfigError: as `read_text`, or a line is no JSON object.
    """
    return json_lines(read_text(path), str(path))


def json_lines(text: str, where: str) -> Iterator[dict[str, Any]]:
    """The objects in the lines of `text`.

    Raises:
        ConfigError: a line is no JSON object; `where` says whose.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise ConfigError(f"{where}, line {number}, is not JSON: {error}.") from error
        if not isinstance(record, dict):
            raise ConfigError(f"{where}, line {number}, is no object but {line[:60]!r}.")
        yield record


def read_archive(path: Path, suffix: str) -> dict[str, str]:
    """The texts in a zip or a tar archive whose names end so, sorted; nothing goes to the disk.

    Raises:
        ConfigError: it can't be read, is damaged, or something in it is too large or not UTF-8.
    """
    texts = {}
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if _is_named(name, suffix):
                        with archive.open(name) as file:
                            texts[name] = _whole(file, f"{name} in {path}")
        else:
            with tarfile.open(path) as tar:
                for member in tar:
                    if _is_named(member.name, suffix) and (opened := tar.extractfile(member)):
                        texts[member.name] = _whole(opened, f"{member.name} in {path}")
    except (*_BROKEN, tarfile.TarError) as error:
        raise _unreadable(path, error) from error
    return dict(sorted(texts.items()))


def _is_named(name: str, suffix: str) -> bool:
    """Whether it ends so, and is no shadow that macOS puts beside a file."""
    return name.endswith(suffix) and not Path(name).name.startswith(".")


def _whole(file: Any, where: str) -> str:
    data: bytes = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ConfigError(f"{where} has over {_MOST_BYTES >> 20} MiB, which is more than is read.")
    return io.TextIOWrapper(io.BytesIO(data), "utf-8-sig").read()


def _unreadable(path: Path, error: Exception) -> ConfigError:
    return ConfigError(f"can't read {path}: {error}. It is unreadable or damaged: fetch it again.")
