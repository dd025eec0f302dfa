"""Pulled models: fetched once, checked, kept under `<home>/models/<name>/`, found again by name.

A folder there is complete: it is filled under another name and renamed at the end.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx

from archipel.errors import ConfigError, ModelError
from archipel.files import sha256_bytes, sha256_file
from archipel.models import fetch
from archipel.models.catalogue import CATALOGUE, CatalogueEntry
from archipel.models.fetch import Fetched, Progress
from archipel.models.here import NAME, PulledModel, find_model, told_or_read, write_facts
from archipel.models.projectors import is_projector, projector_in
from archipel.models.purpose import Purpose
from archipel.models.sizes import makes_pictures

_HUB = re.compile(r"hf:([\w.-]+/[\w.-]+)(?:/(.+))?")
_SHA256 = re.compile(r"sha256=([0-9a-fA-F]{64})")


@dataclass(frozen=True)
class _Request:
    """What to pull: the name that it will have, where it comes from, and how to bring it."""

    name: str
    source: str
    fetch: Callable[[Path, Progress], Fetched]
    purpose: Purpose = field(default_factory=Purpose)  # that the catalogue tells
    sha256: str | None = None  # that the catalogue tells

    def is_for(self, model: PulledModel) -> bool:
        """Whether the model is what this asks for."""
        return model.source == self.source and self.sha256 in (None, model.sha256)


def pull(
    name: str,
    *,
    home: Path,
    progress: Progress,
    catalogue: Mapping[str, CatalogueEntry] = CATALOGUE,
) -> PulledModel:
    """Bring a model here: a catalogue's name, `hf:ORG/REPO[/FILE]`, a URL with digest, or a path.

    A model that is here already is returned as it is.

    Raises:
        ModelError: it is unknown or can't be fetched.
        IntegrityError: what came is not what its source promises.
        ConfigError: the disk is full, can't be written, or the name stands for another model.
    """
    request = _request(name, catalogue)
    found = find_model(request.name, home)
    if found is not None and request.is_for(found):
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
            purpose=told_or_read(request.purpose, arriving),
        )
        write_facts(model, arriving, request.purpose)
        arriving.replace(folder)
    except OSError as error:
        raise ConfigError(
            f"can't write {folder}: {error}. Check that the disk has room and that you may write "
            "there, then run the same command again"
        ) from error
    return model


def _request(text: str, catalogue: Mapping[str, CatalogueEntry]) -> _Request:
    if entry := catalogue.get(text):
        bring = partial(fetch.from_catalogue, entry)
        return _Request(entry.name, entry.source, bring, entry.purpose, entry.sha256)
    if hub := _HUB.fullmatch(text):
        repository, file = hub.groups()
        parts = [*repository.split("/"), *([Path(file).stem] if file else [])]
        return _Request(
            _safe("--".join(parts), text), text, partial(fetch.from_hub, repository, file)
        )
    if text.startswith(("https://", "http://")):
        return _url_request(text)
    path = Path(text).expanduser().resolve()
    if path.suffix == ".gguf" and path.is_file() and not is_projector(path):
        return _Request(_safe(path.stem, text), str(path), partial(fetch.from_disk, path))
    if (path / "config.json").is_file() or makes_pictures(path):
        return _Request(_safe(path.name, text), str(path), partial(fetch.from_disk, path))
    raise ModelError(
        f"unknown model {text!r}: give a name of the catalogue ({', '.join(catalogue)}), "
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
    if not NAME.fullmatch(name):
        raise ModelError(
            f"{text!r} would be called {name!r}: a model's name has letters, digits, '.', '_' and "
            "'-' only. Rename the file first, or pull another one"
        )
    return name


def _measure(folder: Path, file: str) -> tuple[str, int]:
    """The digest of what came, and the size of all that an engine loads."""
    if file != fetch.WHOLE_FOLDER:
        projector = projector_in((folder / file).parent)
        parts = [folder / file, *([projector] if projector else [])]
        return sha256_file(folder / file), sum(part.stat().st_size for part in parts)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{sha256_file(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths]
    return sha256_bytes("".join(lines).encode()), sum(path.stat().st_size for path in paths)
