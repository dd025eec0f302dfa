"""The files below a folder that are worth a look, by one walk. Knows nothing about the index."""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from archipel.search.crew import State

_FETCHED = ("node_modules", "bower_components", "site-packages", "venv", "virtualenv")
_MADE = ("__pycache__", "DerivedData", "lost+found")


@dataclass(frozen=True, slots=True)
class Seen:
    """A file, and what it is now. `is_named`: its name is text; else `path` only looks like it."""

    path: str
    state: State
    is_named: bool = True


@dataclass(frozen=True, slots=True)
class Closed:
    """A folder that can't be listed: `denied` when this person may not, else it failed."""

    path: str
    denied: bool


def is_left_out(name: str) -> bool:
    """Whether a file or folder of this name is passed by: hidden, a lock file of Office, or of the
    folders that programs fill."""
    return name.startswith((".", "~$")) or name in _FETCHED + _MADE


def is_within(path: str, folder: str) -> bool:
    """Whether `path` is the folder or below it, with nothing on the way that is left out."""
    if path == folder:
        return True
    below = path.removeprefix(folder.rstrip("/") + "/")
    return below != path and not any(is_left_out(name) for name in below.split("/"))


def walk(path: str) -> Iterator[Seen | Closed]:
    """The regular files at or below `path`; links are not followed."""
    try:
        found = os.lstat(path)
    except OSError:
        return
    if stat.S_ISREG(found.st_mode):
        yield _seen(path, found)
    elif stat.S_ISDIR(found.st_mode):
        yield from _below(path)


def _below(folder: str) -> Iterator[Seen | Closed]:
    open_folders = [folder]
    while open_folders:
        path = open_folders.pop()
        try:
            with os.scandir(path) as entries:
                found = [entry for entry in entries if not is_left_out(entry.name)]
        except FileNotFoundError:
            continue  # it went while we were on the way
        except OSError as error:
            yield Closed(path, isinstance(error, PermissionError))
            continue
        open_folders += [entry.path for entry in found if entry.is_dir(follow_symlinks=False)]
        for entry in found:
            if entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):  # so did this
                    yield _seen(entry.path, entry.stat(follow_symlinks=False))


def _seen(path: str, found: os.stat_result) -> Seen:
    state = State(found.st_size, found.st_mtime_ns, found.st_ino)
    shown = path.encode("utf-8", "replace").decode()
    return Seen(shown, state, shown == path)
