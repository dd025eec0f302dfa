"""`archipel bundle`: a folder that serves a model with the assistant's page, without a network."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from archipel import config

if TYPE_CHECKING:
    from archipel.cli.bundle.packages import Package

_MAGIC = b"GGUF"


def bundle(
    model: str = typer.Argument(help="A .gguf file, a pulled name, or a checkpoint's folder."),
    out: Path = typer.Option(..., "--out", "-o", help="The folder to write; it must not exist."),
    name: str | None = typer.Option(None, help="The model's name (default: the file's)."),
) -> None:
    """Put a model and all that serves it into a folder whose script `run` needs Python only.

    Example: archipel bundle first-laptop/first-q8_0.gguf -o first-bundle
    """
    from archipel.files import sha256_file, write_json
    from archipel.models.folders import complete_folder

    found = _model(model, name)
    with complete_folder(out) as folder:
        manifest = _fill(folder, found)
        write_json(folder / "manifest.json", manifest)
        digest = sha256_file(folder / "manifest.json")
    sizes = {part: _bytes(manifest["files"], part) for part in ("packages/", "model/")}
    typer.echo(
        f"{out}: model {sizes['model/'] / 1e6:,.1f} MB, {len(manifest['packages'])} packages "
        f"{sizes['packages/'] / 1e6:,.1f} MB, for Python {manifest['python']} on "
        f"{manifest['machine']}"
    )
    typer.echo(f"manifest.json has SHA-256 {digest}")
    typer.echo(f"start it with {out / 'run'}")


@dataclass(frozen=True)
class _Model:
    """A GGUF file and by which one it sees, the name that it is asked by, its licence if that is
    known, and where its licence's files lie."""

    file: Path
    projector: Path | None
    name: str
    licence: str | None
    folder: Path


def _model(text: str, name: str | None) -> _Model:
    """What `text` stands for.

    Raises:
        ModelError: it is no model, or none that can be a GGUF.
    """
    from archipel.errors import ModelError
    from archipel.models.here import find_model
    from archipel.serve.weights import find_gguf, find_projector, name_models

    home = config.home()
    [(called, path)] = name_models([f"{name}={text}" if name else text], home).items()
    file = find_gguf(path, home)
    with file.open("rb") as opened:
        if opened.read(len(_MAGIC)) != _MAGIC:
            raise ModelError(f"{file} is not a GGUF file: give another, or pull the model again")
    pulled = find_model(text, home)
    folder = path if path.is_dir() else path.parent
    projector = find_projector(path, file, None)
    return _Model(file, projector, called, pulled.licence if pulled else None, folder)


def _fill(folder: Path, model: _Model) -> dict[str, Any]:
    """All but the manifest, which it gives."""
    import platform
    import shutil
    import sys

    from archipel.cli.bundle.packages import copy_packages
    from archipel.models.licence import carry_licence

    packages = copy_packages(folder / "packages")
    (folder / "model").mkdir()
    shutil.copyfile(model.file, folder / "model" / model.file.name)
    if model.projector:
        name = f"mmproj-{model.file.name}"  # found beside it by this
        shutil.copyfile(model.projector, folder / "model" / name)
    carry_licence(model.folder, folder / "model")
    shutil.copyfile(Path(__file__).with_name("run.py"), folder / "run")
    (folder / "run").chmod(0o755)
    return {
        "format": 1,
        "name": model.name,
        "model": f"model/{model.file.name}",
        "licence": model.licence,
        "python": "{}.{}".format(*sys.version_info),
        "machine": f"{platform.system()} {platform.machine()}",
        "glibc": max((one.glibc for one in packages if one.glibc), default=None),
        "packages": [_told(one) for one in packages],
        "files": _files(folder),
    }


def _bytes(files: dict[str, dict[str, Any]], part: str) -> int:
    return sum(told["bytes"] for name, told in files.items() if name.startswith(part))


def _told(one: "Package") -> dict[str, str | None]:
    return {"name": one.name, "version": one.version, "licence": one.licence}


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    from archipel.files import sha256_file

    return {
        path.relative_to(folder).as_posix(): {
            "sha256": sha256_file(path),
            "bytes": path.stat().st_size,
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
