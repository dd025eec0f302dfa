"""The key of a program that is started with the service: made at first, then kept in a file."""

import contextlib
import os
from pathlib import Path

from archipel.database import Database
from archipel.errors import ConfigError
from archipel.serve.accounts.administer import NewKey, Office
from archipel.serve.accounts.keys import looks_like_key

_NAME, _PROJECT, _ORGANISATION = "assistant", "assistant", "default"


def own_key(database: Database, file: Path, pepper: bytes, now: float) -> str:
    """The key in `file`; without that file, a new one of the project `assistant`, which is written
    there for its owner only.

    Raises:
        ConfigError: the file can't be read or written, or has no key.
        DatabaseError: the accounts can't be used.
    """
    try:
        found = file.read_text().strip()
    except FileNotFoundError:
        return _made(database, file, pepper, now)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't read the key in {file}: {error}. Check the path.") from error
    if not looks_like_key(found):
        raise ConfigError(f"{file} has no key. Delete the file: the next start makes a new one.")
    return found


def _made(database: Database, file: Path, pepper: bytes, now: float) -> str:
    with database.writing() as connection:
        office = Office(connection, "archipel up", now)
        with contextlib.suppress(ConfigError):  # the project is there already
            office.add_project(_PROJECT, _ORGANISATION)
        secret = office.add_key(NewKey(_NAME, _PROJECT), pepper)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with open(file, "x", opener=_private) as new:
                new.write(f"{secret}\n")
        except OSError as error:
            raise ConfigError(f"can't write {file}: {error.strerror}. Check the path.") from error
    return secret


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
