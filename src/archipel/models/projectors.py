"""Which GGUF files in a folder are models, and which let one see: projectors, `*mmproj*.gguf`."""

from collections.abc import Iterable
from pathlib import Path, PurePath


def is_projector(file: str | PurePath) -> bool:
    """Whether a GGUF file is a projector, by its name."""
    return "mmproj" in PurePath(file).name.lower()


def ggufs_in(folder: Path) -> list[Path]:
    """The models' GGUF files at the top of a folder, by name."""
    return [file for file in sorted(folder.glob("*.gguf")) if not is_projector(file)]


def projector_in(folder: Path) -> Path | None:
    """The projector at the top of a folder, of several the best; none where several models are,
    for it may be any one's."""
    if len(ggufs_in(folder)) > 1:
        return None
    name = best_projector(file.name for file in folder.glob("*.gguf"))
    return None if name is None else folder / name


def best_projector(names: Iterable[str]) -> str | None:
    """Of the projectors among files the one in F16, for which all engines have code; or else the
    first by name."""
    found = sorted(filter(is_projector, names))
    halves = [name for name in found if "f16" in name.lower().replace("bf16", "")]
    return next(iter(halves or found), None)
