"""The service's database, for the commands of those who administer it."""

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from archipel import config

if TYPE_CHECKING:
    from archipel.database import Database
    from archipel.serve.accounts.administer import Office

DATABASE_HELP = "The service's database.  [default: DATABASE_URL, or a file in ARCHIPEL_HOME]"


@contextlib.contextmanager
def accounts(url: str | None) -> Iterator["Database"]:
    """The database for the time of the block."""
    from archipel.serve.accounts.opened import open_accounts

    opened = open_accounts(url)
    try:
        yield opened
    finally:
        opened.close()


@contextlib.contextmanager
def office(url: str | None) -> Iterator["Office"]:
    """One transaction of administrative acts."""
    from archipel.serve.accounts.administer import Office

    with accounts(url) as opened, opened.writing() as connection:
        yield Office(connection, config.user_name(), time.time())
