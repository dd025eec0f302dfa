"""Follow the folders: what changes on the disk is in the index a moment later."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from watchfiles import awatch

from archipel.errors import ConfigError
from archipel.search.crew import Crew
from archipel.search.index import Index
from archipel.search.passing import Passed, bring_up_to_date
from archipel.search.walk import is_within

_LOOK_MILLISECONDS = 1_000  # for folders that were added or removed meanwhile
_QUIET_MILLISECONDS, _LONGEST_MILLISECONDS = 50, 500  # changes so close are taken together
_ALL_SECONDS = 1_800  # then all is compared again: the system may have lost a change

Clock = Callable[[], datetime]
Said = Callable[[Passed], None]


async def watch(index: Index, crew: Crew, clock: Clock, said: Said) -> None:
    """Bring all folders up to date, then what changes in them, until it is cancelled.

    Raises:
        ConfigError: the system can't watch the folders.
        DatabaseError: the index can't be written.
    """
    while True:
        try:
            await _follow(index, crew, clock, said)
        except OSError as error:
            raise ConfigError(
                f"the system can't watch these folders ({error}). If they are too many, let "
                "fs.inotify.max_user_watches be more, or run `archipel search index` by the clock."
            ) from error


async def _follow(index: Index, crew: Crew, clock: Clock, said: Said) -> None:
    """Until the folders are others, or it is time to compare everything again."""
    folders = index.folders()
    now = asyncio.get_running_loop().time
    end, is_compared = now() + _ALL_SECONDS, False
    watched = awatch(
        *(folder for folder in folders if Path(folder).is_dir()),
        watch_filter=None,
        debounce=_LONGEST_MILLISECONDS,
        step=_QUIET_MILLISECONDS,
        rust_timeout=_LOOK_MILLISECONDS,
        yield_on_timeout=True,
        ignore_permission_denied=True,
    )
    async with contextlib.aclosing(watched):
        async for changed in watched:
            places = outermost(path for _, path in changed) if is_compared else folders
            is_compared = True  # with the watch on already, so nothing falls between
            places = [place for place in places if any(is_within(place, one) for one in folders)]
            if places:
                said(await bring_up_to_date(index, places, crew, clock()))
            if index.folders() != folders or now() > end:
                return


def outermost(paths: Iterable[str]) -> list[str]:
    """The paths without those that are below another of them. Pure."""
    kept: list[str] = []
    for path in sorted(set(paths), key=lambda path: Path(path).parts):
        if not kept or not path.startswith(f"{kept[-1].rstrip('/')}/"):
            kept.append(path)
    return kept
