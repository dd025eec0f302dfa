"""The Python packages that serve one GGUF model with the assistant's page, copied as installed.

Their licences lie in their `.dist-info` folders, and come along.
"""

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

import archipel
from archipel.errors import ConfigError

# What archipel[serve,assistant] asks for, but for LEFT_OUT: that is for fetching, training, export,
# bundles and following folders, and for people's tests, which run where the bundle's packages are
# not seen.
ROOTS = (
    "aiohttp",
    "alembic",
    "cryptography",
    "google-re2",
    "httptools",
    "httpx",
    "joserfc",
    "lxml",
    "markdown-it-py",
    "numpy",
    "openpyxl",
    "pillow",
    "prometheus-client",
    "pydantic",
    "pypdfium2",
    "python-docx",
    "python-multipart",
    "python-pptx",
    "rich",
    "snowballstemmer",
    "sqlalchemy",
    "starlette",
    "typer",
    "uvicorn",
    "xllamacpp",
)
LEFT_OUT = (
    "gguf",
    "huggingface-hub",
    "obstore",
    "packaging",
    "pytest",
    "pyyaml",
    "safetensors",
    "tokenizers",
    "uvloop",
    "watchfiles",
)
_GLIBC = re.compile(r"manylinux_(\d+)_(\d+)_")
_GLIBC_OF_OLD_TAGS = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}


@dataclass(frozen=True)
class Package:
    """One of them; `glibc` is the oldest that its compiled files run with, if they need one."""

    name: str
    version: str
    licence: str | None
    glibc: tuple[int, int] | None


def copy_packages(folder: Path) -> list[Package]:
    """Archipel and what it needs, into `folder`, from which they can be imported.

    Raises:
        ConfigError: one is not installed, or not by pip.
    """
    found = list(_with_requirements(ROOTS))
    for one in found:
        _copy(one, folder)
    return [_copy_archipel(folder), *(_described(one) for one in found)]


def _with_requirements(names: Iterable[str]) -> Iterator[Distribution]:
    """Each once, with all that it requires on this machine."""
    seen: set[tuple[str, frozenset[str]]] = set()
    todo = [Requirement(name) for name in names]
    while todo:
        wanted = todo.pop()
        asked = (_normal(wanted.name), frozenset(wanted.extras))
        if asked in seen:
            continue
        is_new = not any(name == asked[0] for name, _ in seen)
        seen.add(asked)
        found = _installed(wanted.name)
        todo += [one for one in map(Requirement, found.requires or ()) if _holds(one, asked[1])]
        if is_new:
            yield found


def _holds(requirement: Requirement, extras: frozenset[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": one}) for one in ("", *extras))


def _installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        raise ConfigError(
            f"a bundle needs the package {name}, which is not installed here. "
            "`pip install 'archipel[serve,assistant]'` has all of them"
        ) from error


def _copy(one: Distribution, folder: Path) -> None:
    """Its files as its record lists them, without commands outside the packages' folder."""
    if one.files is None:
        raise ConfigError(
            f"the package {one.name} has no record of its files: install it with pip in a virtual "
            "environment, and make the bundle from there"
        )
    for file in one.files:
        if ".." in file.parts or file.is_absolute() or "__pycache__" in file.parts:
            continue
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(one.locate_file(file)), target)


def _copy_archipel(folder: Path) -> Package:
    """From where it runs: as it may be installed, its record says only where that is."""
    own, ignored = _installed("archipel"), shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(Path(archipel.__file__).parent, folder / "archipel", ignore=ignored)
    for file in own.files or ():
        if file.parts[0].endswith(".dist-info") and "licenses" in file.parts:
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(own.locate_file(file)), target)
    return Package("archipel", archipel.__version__, _described(own).licence, None)


def _described(one: Distribution) -> Package:
    facts = one.metadata
    said = [facts[name] for name in ("License-Expression", "License") if name in facts]
    classified = [
        text.rpartition(" :: ")[2]
        for text in facts.get_all("Classifier") or ()
        if text.startswith("License ::")
    ]
    short = [text.strip() for text in said if text.strip() and "\n" not in text.strip()]
    licence = short[0] if short else ", ".join(classified)
    return Package(one.name, one.version, licence or None, _glibc(one))


def _glibc(one: Distribution) -> tuple[int, int] | None:
    """The oldest that one of its wheel's tags promises to be enough."""
    told = one.read_text("WHEEL") or ""
    new = [(int(major), int(minor)) for major, minor in _GLIBC.findall(told)]
    old = [version for tag, version in _GLIBC_OF_OLD_TAGS.items() if f"-{tag}_" in told]
    return min(new + old, default=None)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
