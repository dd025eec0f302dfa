"""The files that say under which terms a model may be used go with it wherever it goes."""

import shutil
from pathlib import Path

_NAMES = ("LICEN[CS]E*", "NOTICE*")


def carry_licence(source: Path, folder: Path) -> None:
    """Copy those beside a model in `source` into `folder`."""
    for pattern in _NAMES:
        for path in source.glob(pattern):
            if path.is_file():
                shutil.copyfile(path, folder / path.name)
