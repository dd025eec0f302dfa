"""A file as it arrives: within its limit, in a file of its own beside where it will stay."""

import errno
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from archipel.errors import ConfigError, DocumentTooLarge


@dataclass(frozen=True)
class Received:
    """A whole file; it is the caller's to move or to delete."""

    path: Path
    digest: str  # SHA-256
    bytes: int


async def received(chunks: AsyncIterator[bytes], folder: Path, most: int) -> Received:
    """The file that arrives in `chunks`, of `most` bytes at most, readable by its owner only.

    Raises:
        DocumentTooLarge: it is larger.
        ConfigError: the disk has no room, or the folder can't be written.
    """
    digest, size = hashlib.sha256(), 0
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=folder, prefix=".arriving-")
    except OSError as error:
        raise ConfigError(f"can't write in {folder}: {error.strerror}. Check it.") from error
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            async for chunk in chunks:
                size += len(chunk)
                if size > most:
                    raise too_large(most)
                digest.update(chunk)
                file.write(chunk)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ConfigError("the assistant's disk is full. Free some space.") from error
        raise
    return Received(path, digest.hexdigest(), size)


def too_large(most: int) -> DocumentTooLarge:
    """What a larger file is refused with."""
    return DocumentTooLarge(f"the file is over {most >> 20} MiB. Add it in parts.")
