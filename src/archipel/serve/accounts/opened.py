"""The accounts' database, where the environment or the settings say that it is."""

from pathlib import Path

from archipel import config
from archipel.database import Database, open_database
from archipel.serve.accounts.tables import NEWEST

_MIGRATIONS = Path(__file__).parent / "migrations"


def open_accounts(url: str | None) -> Database:
    """Open it, made or brought to the newest schema: DATABASE_URL, else `url`, else a SQLite file
    in ARCHIPEL_HOME.

    Raises:
        ConfigError: the URL can't be used.
        DatabaseError: the database can't.
    """
    default = f"sqlite:///{config.home() / 'service.db'}"
    return open_database(config.database_url() or url or default, _MIGRATIONS, NEWEST)
