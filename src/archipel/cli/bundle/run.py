#!/usr/bin/env python3
"""Serve this folder's model and open the assistant's page: ./run [options of `archipel up`].

Reaches no network and installs nothing. Needs the Python that manifest.json names, and checks
every file against it first. Conversations and settings go into the folder `data` beside it, or
where ARCHIPEL_HOME says. Written so that an older Python can say that it is too old.
"""

import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

_CHUNK_BYTES = 1 << 20


def main() -> None:
    """Check all, then become `archipel up`."""
    here = Path(__file__).resolve().parent
    manifest = json.loads((here / "manifest.json").read_text(encoding="utf-8"))
    _find_python(manifest["python"])
    _check_machine(manifest)
    _check_files(here, manifest["files"])
    given = dict(os.environ)  # noqa: TID251 (nothing of the package is here to be imported)
    home = given.get("ARCHIPEL_HOME") or str(here / "data")
    try:
        Path(home).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _stop(f"can't write {home}: {error.strerror}. Set ARCHIPEL_HOME to another folder")
    own = {
        "ARCHIPEL_HOME": home,
        "PYTHONPATH": str(here / "packages"),
        "PYTHONNOUSERSITE": "1",
        "PYTHONSAFEPATH": "1",  # nothing from where it is called
        "PYTHONPYCACHEPREFIX": str(Path(home) / "python"),  # and nothing new in `packages`
    }
    model = manifest["name"] + "=" + str(here / manifest["model"])
    command = [sys.executable, "-m", "archipel", "up", model, *sys.argv[1:]]
    os.execve(sys.executable, command, {**given, **own})


def _find_python(wanted: str) -> None:
    """Go on with the Python that the packages are for, if this is another."""
    if "{}.{}".format(*sys.version_info) == wanted and sys.implementation.name == "cpython":
        return
    other = shutil.which("python" + wanted)
    if other is None:
        _stop(f"the packages are for Python {wanted}, and there is no python{wanted}. Install it")
    os.execv(other, [other, *sys.argv])


def _check_machine(manifest: "Mapping[str, Any]") -> None:
    here = platform.system() + " " + platform.machine()
    if here != manifest["machine"]:
        _stop("the packages are for {}, and this is {}".format(manifest["machine"], here))
    wanted = manifest["glibc"]
    if wanted is None:
        return
    name, version = platform.libc_ver()
    if name != "glibc" or [int(part) for part in version.split(".")[:2]] < wanted:
        needed = ".".join(str(part) for part in wanted)
        _stop(f"the packages need glibc {needed}, and this is {name or 'no glibc'} {version}")


def _check_files(here: Path, files: "Mapping[str, Mapping[str, Any]]") -> None:
    """Every file is there and as it was made, and no other is among the packages."""
    for name, told in files.items():
        path = here / name
        if not path.is_file() or path.stat().st_size != told["bytes"]:
            _stop(f"{name} is missing or cut off. Copy the bundle again")
        if _digest(path) != told["sha256"]:
            _stop(f"{name} is not as it was made. Copy the bundle again")
    for path in (here / "packages").rglob("*"):
        name = path.relative_to(here).as_posix()
        if not path.is_dir() and name not in files:
            _stop(f"{name} was not there when the bundle was made. Remove it")


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""):
            digest.update(chunk)
    return digest.hexdigest()


def _stop(message: str) -> NoReturn:
    sys.stderr.write("error: " + message + "\n")
    sys.exit(1)


if __name__ == "__main__":
    main()
