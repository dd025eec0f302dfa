"""The assistant's database, where the environment or the caller says that it is."""

from pathlib import Path

from archipel import config
from archipel.assistant.history.tables import NEWEST
from archipel.database import Database, open_database

_MIGRATIONS = Path(__file__).parent / "migrations"


def open_history(url: str | None = None) -> Database:
    """Open it, made or brought to the newest schema: `url`, else ASSISTANT_DATABASE_URL, else a
    SQLite file in ARCHIPEL_HOME.

    Raises:
        ConfigError: the URL can't be used.
        DatabaseError: the database can't.
    """
    default = f"sqlite:///{config.home() / 'assistant.db'}"
    return open_database(url or config.assistant_database_url() or default, _MIGRATIONS, NEWEST)
