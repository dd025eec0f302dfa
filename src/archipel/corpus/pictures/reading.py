"""Pictures and their captions, out of folders and zip archives; nothing is written to the disk.

What can't be learnt from is left out, counted and logged, and the reading goes on. Knows nothing
about tokens or codes.
"""

import hashlib
import json
import logging
import os
import posixpath
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from archipel.corpus.left_out import LeftOut
from archipel.corpus.pictures.decoding import UnusablePicture, decoded, squared
from archipel.errors import ConfigError

KINDS = (".png", ".jpg", ".jpeg", ".webp")
METADATA = "metadata.jsonl"
# They are met among pictures, and are not passed over in silence.
_OTHER_KINDS = (".svg", ".svgz", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".ico")
_SPLITS = {"train": False, "held_out": True, None: None}
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)

Show = Callable[[str, int, int], None]

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How large what is read may be: a picture, in pixels as its header says and in bytes of its
    file; all files of a zip archive together, unpacked; and a file with captions."""

    pixels: int = 64_000_000
    file_bytes: int = 64 << 20
    zip_bytes: int = 16 << 30
    captions_bytes: int = 256 << 20


class Asked(NamedTuple):
    """What is asked about a picture, and the answer."""

    question: str
    answer: str


@dataclass(frozen=True)
class Picture:
    """A picture as uint8 [size, size, 3], with different captions or questions, at least one of
    them. `hash` is that of its pixels before they were scaled; `held_out` is None where the
    material does not say."""

    name: str
    pixels: npt.NDArray[np.uint8]
    hash: bytes
    captions: tuple[str, ...]
    asked: tuple[Asked, ...]
    held_out: bool | None


class _File(NamedTuple):
    """A file of an input: what to call it in messages, and its bytes."""

    place: str
    size_bytes: int
    read: Callable[[], bytes]


class _Said(NamedTuple):
    """What is said of a picture."""

    captions: tuple[str, ...]
    asked: tuple[Asked, ...]
    held_out: bool | None


def read_pictures(
    inputs: list[Path],
    size: int,
    left_out: LeftOut,
    show: Show = lambda what, done, count: None,
    limits: Limits = Limits(),
) -> Iterator[Picture]:
    """The pictures of folders and zip archives with all that is below them, in the order of their
    names, `size` × `size` pixels each; `show` is told what is read, how many are done and of how
    many.

    Raises:
        ConfigError: an input is neither, or damaged; or a file with captions makes no sense.
    """
    for path in inputs:
        with _files(path, left_out, limits) as files:
            said = _said(files, left_out, limits)
            names = [name for name in files if _suffix(name) in KINDS + _OTHER_KINDS]
            for number, name in enumerate(names):
                show(f"reading {path.name or path}", number, len(names))
                try:
                    yield _picture(name, files, said, size, limits)
                except UnusablePicture as reason:
                    _leave_out(left_out, str(reason), files[name].place)


def _leave_out(left_out: LeftOut, reason: str, place: str) -> None:
    left_out.note(reason, place)
    log.warning("%s is left out: %s", place, reason)


@contextmanager
def _files(path: Path, left_out: LeftOut, limits: Limits) -> Iterator[dict[str, _File]]:
    """What may be read of an input, by the path in it, sorted."""
    if path.is_dir():
        yield _in_folder(path)
    elif path.suffix.lower() == ".zip" and path.exists():
        try:
            archive = zipfile.ZipFile(path)
        except _UNREADABLE as error:
            raise ConfigError(
                f"can't read {path}: {error}. It is unreadable or damaged: fetch it again."
            ) from error
        with archive:
            yield _in_zip(path, archive, left_out, limits)
    elif path.exists():
        raise ConfigError(f"{path} is no folder of pictures, nor a .zip of one. Name its folder.")
    else:
        raise ConfigError(f"{path} does not exist. Check the path.")


def _in_folder(folder: Path) -> dict[str, _File]:
    found = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if not one.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file():
                place = path.relative_to(folder).as_posix()
                found[place] = _File(_shown(str(path)), path.stat().st_size, path.read_bytes)
    return dict(sorted(found.items()))


def _in_zip(
    path: Path, archive: zipfile.ZipFile, left_out: LeftOut, limits: Limits
) -> dict[str, _File]:
    found = {}
    room = limits.zip_bytes
    for info in archive.infolist():
        place = _shown(f"{path}: {info.filename}")
        name = posixpath.normpath(info.filename)
        if info.is_dir() or any(part.startswith(".") and part != ".." for part in name.split("/")):
            continue
        room -= info.file_size
        if room < 0:
            _leave_out(left_out, f"beyond the {limits.zip_bytes:,} bytes of a zip", place)
        elif name.startswith(("/", "../")) or "\\" in name or name[1:2] == ":":
            _leave_out(left_out, "with a path that leaves the zip", place)
        elif info.flag_bits & 1 or info.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            _leave_out(left_out, "encrypted, or compressed by other means than deflate", place)
        else:
            found[name] = _File(place, info.file_size, partial(_unzipped, archive, info))
    return dict(sorted(found.items()))


def _unzipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The bytes of a file in it: never more than it says itself, whatever is packed."""
    with archive.open(info) as file:
        return file.read(info.file_size + 1)


def _picture(
    name: str, files: Mapping[str, _File], said: Mapping[str, _Said], size: int, limits: Limits
) -> Picture:
    """Raises UnusablePicture for one that can't be learnt from."""
    file = files[name]
    if _suffix(name) in _OTHER_KINDS:
        raise UnusablePicture("of a kind that is not read")
    told = said.get(name, _Said((), (), None))
    captions = told.captions or _beside(name, files, limits)
    if not captions and not told.asked:
        raise UnusablePicture("without a caption")
    kept = tuple(dict.fromkeys(text.strip() for text in captions if text.strip()))
    if not kept and not told.asked:
        raise UnusablePicture("with an empty caption")
    if file.size_bytes > limits.file_bytes:
        raise UnusablePicture(f"over {limits.file_bytes >> 20} MiB")
    try:
        data = file.read()
    except _UNREADABLE as error:
        raise UnusablePicture("that can't be read") from error
    whole = decoded(data, limits.pixels)
    hash_ = hashlib.sha256(f"{whole.width} {whole.height} ".encode() + whole.tobytes()).digest()
    return Picture(file.place, squared(whole, size), hash_, kept, told.asked, told.held_out)


def _beside(name: str, files: Mapping[str, _File], limits: Limits) -> tuple[str, ...]:
    """The captions in the text file of the same name, one a line."""
    file = files.get(posixpath.splitext(name)[0] + ".txt")
    if file is None:
        return ()
    if file.size_bytes > limits.captions_bytes:
        raise UnusablePicture(f"whose captions have over {limits.captions_bytes >> 20} MiB")
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnusablePicture("whose caption is not UTF-8") from None
    except _UNREADABLE as error:
        raise UnusablePicture("whose caption can't be read") from error
    return tuple(text.split("\n"))


def _said(files: Mapping[str, _File], left_out: LeftOut, limits: Limits) -> dict[str, _Said]:
    """What the files of metadata say, by the path of the picture in the input."""
    said: dict[str, _Said] = {}
    for name, file in files.items():
        if posixpath.basename(name) != METADATA:
            continue
        for place, record in _records(file, limits):
            picture, one = _said_of(place, record)
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), picture))
            if target not in files:
                _leave_out(left_out, f"of {METADATA}, of a picture that is not there", place)
                continue
            before = said.get(target, _Said((), (), one.held_out))
            if before.held_out != one.held_out:
                raise ConfigError(
                    f"{place}: {picture} was in another split before. Give it one split"
                )
            asked = tuple(dict.fromkeys(before.asked + one.asked))
            said[target] = _Said(before.captions + one.captions, asked, one.held_out)
    return said


def _records(file: _File, limits: Limits) -> Iterator[tuple[str, object]]:
    if file.size_bytes > limits.captions_bytes:
        raise ConfigError(
            f"{file.place} has over {limits.captions_bytes >> 20} MiB, which is more than is read. "
            "Spread the pictures over several folders"
        )
    try:
        text = file.read().decode("utf-8-sig")
    except _UNREADABLE as error:
        raise ConfigError(
            f"can't read {file.place}: {error}. It is damaged, or not UTF-8: write it again"
        ) from error
    for number, line in enumerate(text.split("\n"), 1):
        place = f"{file.place}, line {number}"
        if not line.strip():
            continue
        try:
            yield place, json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{place}, is not JSON: {error}. Repair the line") from error


def _said_of(place: str, record: object) -> tuple[str, _Said]:
    """The name of a record's picture, and what is said of it."""
    if not isinstance(record, dict) or not isinstance(record.get("file_name"), str):
        raise ConfigError(f'{place}: there is no "file_name". Name the picture in each line')
    text = record.get("text")
    texts = text if isinstance(text, list) else [] if text is None else [text]
    if not all(isinstance(one, str) for one in texts):
        raise ConfigError(f'{place}: "text" is neither a text nor a list of texts. Write captions')
    split = record.get("split")
    if not isinstance(split, str | None) or split not in _SPLITS:
        raise ConfigError(f'{place}: the split {split!r} is unknown: use "train" or "held_out"')
    captions = tuple(map(_text, texts))
    asked = tuple(_asked(place, record.get("asked", [])))
    return record["file_name"], _Said(captions, asked, _SPLITS[split])


def _asked(place: str, entries: object) -> Iterator[Asked]:
    for entry in entries if isinstance(entries, list) else [entries]:
        both = [entry.get(key) for key in Asked._fields] if isinstance(entry, dict) else []
        said = [_text(one).strip() for one in both if isinstance(one, str)]
        if len(said) != len(Asked._fields) or not all(said):
            raise ConfigError(
                f'{place}: "asked" is no list of questions with answers: {str(entry)[:80]!r}. '
                'Write [{"question": "What is this?", "answer": "a cat"}]'
            )
        yield Asked(*said)


def _text(text: str) -> str:
    """JSON can hold half of a surrogate pair, which is no text."""
    return text.encode(errors="replace").decode()


def _shown(name: str) -> str:
    """A name from anywhere, fit for a terminal."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in name)


def _suffix(name: str) -> str:
    return posixpath.splitext(name)[1].lower()
