"""The files that say what a model is, and under which terms it may be used, go with it."""

import shutil
from pathlib import Path

_NAMES = ("LICEN[CS]E*", "NOTICE*")


def carry_card(source: Path, folder: Path) -> None:
    """Copy the card beside a model in `source`, if there is one, into `folder`."""
    if (source / "README.md").is_file():
        shutil.copyfile(source / "README.md", folder / "README.md")


def carry_licence(source: Path, folder: Path) -> None:
    """Copy those beside a model in `source` into `folder`."""
    for pattern in _NAMES:
        for path in source.glob(pattern):
            if path.is_file():
                shutil.copyfile(path, folder / path.name)
