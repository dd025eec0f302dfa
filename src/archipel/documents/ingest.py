"""A file into a library: read, cut, indexed; nothing is done when its bytes are known already."""

import asyncio
from datetime import datetime
from pathlib import Path

from archipel.documents.blocks import Limits
from archipel.documents.collector import tidy
from archipel.documents.library import Library, Place
from archipel.documents.reading import read_document
from archipel.errors import ConfigError
from archipel.files import sha256_file


async def ingest(
    library: Library,
    path: Path,
    place: Place,
    now: datetime,
    limits: Limits | None = None,
) -> bool:
    """Add the file at `path`, or put it in the place of an older one; whether anything was done.

    The name in `place` is the one that the person knows, suffix and all.

    Raises:
        ConfigError: the file can't be opened, or the place lacks a name.
        DocumentError: of the kind that says why it can't be read; the library is as it was.
        DatabaseError: the library can't be read or written.
    """
    place = Place(tidy(place.owner), tidy(place.collection), tidy(place.name))
    if not (place.owner and place.collection and place.name):
        raise ConfigError(f"a document needs an owner, a collection and a name: {place} lacks one")
    try:
        digest = await asyncio.to_thread(sha256_file, path)
    except OSError as error:
        raise ConfigError(
            f"can't read {place.name!r}: {error.strerror}. Check the file."
        ) from error
    if digest == await asyncio.to_thread(library.digest, place):
        return False
    document = await read_document(path, place.name, limits)
    await asyncio.to_thread(library.add, place, digest, document, now)
    return True
