"""The models on this machine, in `<home>/models`: pulled ones, and those that somebody put there.

Knows nothing about where models come from.
"""

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from archipel.errors import IntegrityError, ModelError
from archipel.files import read_json, write_json
from archipel.models.projectors import ggufs_in, is_projector, projector_in
from archipel.models.purpose import Purpose, read_purpose
from archipel.models.sizes import has_weights, makes_pictures

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_FACTS = "model.json"
_KEPT = ("name", "source", "licence", "file", "sha256", "bytes")


@dataclass(frozen=True)
class PulledModel:
    """A model on this machine. `file` is a GGUF's name, or "." where the folder is a checkpoint or
    a model of pictures.

    `sha256` is that of the file; of a folder, that of its files' digests and names, line by line;
    None where the model was put here without `archipel pull`.
    """

    name: str
    source: str
    licence: str | None
    file: str
    sha256: str | None
    bytes: int
    folder: Path
    purpose: Purpose = field(default_factory=Purpose)

    @property
    def path(self) -> Path:
        """What an engine loads."""
        return self.folder / self.file


def list_models(home: Path) -> list[PulledModel]:
    """The models that are here, by name; also checkpoints' folders and GGUF files, one in a folder,
    that somebody put beside those that were pulled.

    Raises:
        IntegrityError: a model's facts were altered.
    """
    places = (home / "models").glob("[!.]*")
    found = (_read(one) if (one / _FACTS).is_file() else _put_here(one) for one in places)
    return sorted((one for one in found if one), key=lambda one: one.name)


def find_purpose(path: Path, home: Path) -> Purpose:
    """What the model at `path` is made for, by what was kept when it was pulled, or its card.

    Raises:
        IntegrityError: what was kept was altered.
    """
    folder = path if path.is_dir() else path.parent
    if folder.parent == home / "models" and (folder / _FACTS).is_file():
        return _read(folder).purpose
    return read_purpose(folder)


def write_facts(model: PulledModel, folder: Path, told: Purpose) -> None:
    """Keep in `folder` what is known of a model; of its purpose what was `told`, its card aside."""
    write_json(folder / _FACTS, {name: getattr(model, name) for name in _KEPT} | asdict(told))


def told_or_read(told: Purpose, folder: Path) -> Purpose:
    """What somebody told of a model, or else its card."""
    return told if told != Purpose() else read_purpose(folder)


def _read(folder: Path) -> PulledModel:
    facts = read_json(folder / _FACTS)
    try:
        told = Purpose(*(_tuple(facts.pop(name, None)) for name in ("tasks", "languages")))
        model = PulledModel(**facts, folder=folder, purpose=told_or_read(told, folder))
        inside = model.path.resolve().is_relative_to(folder.resolve())
    except (TypeError, AttributeError) as error:
        raise _altered(folder) from error
    if model.name != folder.name or not inside or not model.path.exists():
        raise _altered(folder)
    return model


def _put_here(path: Path) -> PulledModel | None:
    """A model that was not pulled; None if it is none, or its name is none for a model."""
    name = path.name.removesuffix(".gguf")
    if not NAME.fullmatch(name) or (path.is_file() and is_projector(path)):
        return None
    files = [path] if path.is_file() else ggufs_in(path)
    if len(files) == 1 and files[0].suffix == ".gguf":
        file, projector = files[0].name, projector_in(path)
        files += [projector] if projector else []
    elif (path / "config.json").is_file() and has_weights(path):
        files, file = sorted(path.glob("*.safetensors")), "."
    elif makes_pictures(path):
        files, file = sorted(path.glob("**/*.safetensors")), "."
    else:
        return None
    return PulledModel(
        name=name,
        source=str(path),
        licence=None,
        file=file,
        sha256=None,
        bytes=sum(one.stat().st_size for one in files),
        folder=path.parent if path.is_file() else path,
        purpose=Purpose() if path.is_file() else read_purpose(path),
    )


def _tuple(value: list[Any] | None) -> tuple[Any, ...] | None:
    return None if value is None else tuple(value)


def _altered(folder: Path) -> IntegrityError:
    return IntegrityError(
        f"{folder / _FACTS} was altered: remove {folder} and pull the model again"
    )


def find_model(name: str, home: Path) -> PulledModel | None:
    """The pulled model with this name or source, or None."""
    return next((model for model in list_models(home) if name in (model.name, model.source)), None)


def resolve_model(text: str, home: Path) -> Path:
    """The path that `text` stands for: a checkpoint's directory, a GGUF file, or a pulled model.

    Raises:
        ModelError: there is no such thing; the message lists what there is.
    """
    path = Path(text).expanduser()
    if (
        (path / "config.json").is_file()
        or makes_pictures(path)
        or (path.suffix == ".gguf" and path.is_file())
    ):
        return path
    model = find_model(text, home)
    if model is not None:
        return model.path
    here = ", ".join(each.name for each in list_models(home)) or "none yet"
    raise ModelError(
        f"no model {text!r}: give a checkpoint's directory, a .gguf file, or a pulled model "
        f"({here}). `archipel pull --list` shows what can be pulled by name"
    )
