"""Where a person's index lies, and the right to write to it, which one process has at a time."""

import contextlib
import fcntl
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from archipel import config
from archipel.errors import ConfigError
from archipel.search.index import Index
from archipel.search.index_file import make_index, opened


def index_path() -> Path:
    """The index, in the person's own folder."""
    return config.home() / "search.db"


@contextlib.contextmanager
def written(path: Path) -> Iterator[Index]:
    """The index, made if it is not there, for a short change; waits for whoever writes just now.

    Raises:
        ConfigError: it can't be made.
        DatabaseError: it is no index, or can't be written.
    """
    make_index(path)
    with opened(path) as connection:
        index = Index(connection)
        yield index
        index.commit()


@contextlib.contextmanager
def read(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the index, made empty if it is not there, to read in one state of it.

    Raises:
        ConfigError: it can't be made.
        DatabaseError: it is no index, or can't be read.
    """
    make_index(path)
    with opened(path) as connection:
        connection.execute("BEGIN")
        yield connection


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """The right to bring the index up to date, for the time of the block or the process.

    Raises:
        ConfigError: another process has it.
    """
    make_index(path)
    with path.with_suffix(".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                "another `archipel search index` or `watch` is at work. Let it finish, or end it."
            ) from error
        yield
