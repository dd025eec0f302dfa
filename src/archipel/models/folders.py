"""A folder that exists is complete: what fills it goes to a sibling that is renamed at the end."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archipel.errors import ConfigError


@contextmanager
def complete_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to fill; it becomes `folder` when the block ends without an error.

    Raises:
        ConfigError: `folder` exists and is not empty, the disk is full or it can't be written.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 (resolve() would follow a link at the end)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} exists already: give another place, or remove it first")
    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        yield temporary
        temporary.chmod(0o755)
        temporary.replace(folder)
    except OSError as error:
        raise ConfigError(
            f"can't write {folder}: {error}. Check that the disk has room and that you may write "
            "there, then run the same command again"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
