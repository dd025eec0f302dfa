"""SQLite or PostgreSQL through SQLAlchemy: opened, brought to the newest schema, read and written.

What is in a database is its owner's to say, in tables and Alembic migrations of its own.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from archipel.errors import ConfigError, DatabaseError

_BUSY_SECONDS = 10
_UPGRADE_LOCK = 0x61726368  # any number, the same in every process that upgrades


class Database:
    """Connections to one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def is_sqlite(self) -> bool:
        """Whether it is one file, and has one writer at a time."""
        return self._engine.dialect.name == "sqlite"

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the database.

        Raises:
            DatabaseError: it can't be reached, or an order failed.
        """
        with _named(self._engine), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction: all that the block writes, or nothing. In SQLite it is alone from its
        beginning; in PostgreSQL what it reads may change unless it locks it.

        Raises:
            DatabaseError: it can't be reached, or an order failed; nothing was written.
        """
        with _named(self._engine), self._engine.connect() as connection:
            connection = connection.execution_options(writes=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """End all connections."""
        self._engine.dispose()


def open_database(url: str, migrations: Path, newest: str) -> Database:
    """The database at a URL (`sqlite:///FILE`, `postgresql://…`), with the newest schema.

    `migrations` is the folder of an Alembic environment, which takes its connection from
    `config.attributes`; `newest` is the last revision there.

    Raises:
        ConfigError: the URL is not of such a database, or its driver is not installed.
        DatabaseError: it can't be reached, or its schema is newer than this program's.
    """
    parsed = _parsed(url)
    try:
        engine = create_engine(parsed, **_options(parsed))
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        remedy = "`pip install 'archipel[postgres]'` has PostgreSQL's."
        raise ConfigError(
            f"the driver for {shown(parsed)} is lacking: {error}. {remedy}"
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    database = Database(engine)
    try:
        with database.writing() as connection:
            if _revision(connection) != newest:
                _upgrade(connection, migrations, shown(parsed))
    except BaseException:
        database.close()
        raise
    return database


def shown(url: URL) -> str:
    """The URL as it may be shown: without its password."""
    return url.render_as_string(hide_password=True)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:  # its message shows the URL, and so a password
        remedy = "Write sqlite:///FILE or postgresql://USER@HOST/NAME."
        raise ConfigError(f"the database's URL is not one. {remedy}") from error
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername != "sqlite":
        remedy = "Write sqlite:///FILE or postgresql://USER@HOST/NAME."
        raise ConfigError(f"{shown(parsed)} is neither SQLite nor PostgreSQL. {remedy}")
    if parsed.database:
        file = Path(parsed.database)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(0o600)  # what SQLite adds beside it gets the same mode
        except OSError as error:
            raise ConfigError(f"can't make {file}: {error.strerror}. Check the path.") from error
    return parsed


def _options(url: URL) -> dict[str, object]:
    if url.drivername == "sqlite":
        return {"connect_args": {"timeout": _BUSY_SECONDS}}
    return {"pool_pre_ping": True}  # after the server was restarted


def _configure_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # `_begin_sqlite` says when transactions begin
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection, migrations: Path, name: str) -> None:
    from alembic import command  # 11 MB that a service has no use for later
    from alembic.config import Config
    from alembic.util import CommandError

    if connection.dialect.name == "postgresql":  # several processes may start at once
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _UPGRADE_LOCK})
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise DatabaseError(
            f"{name} has a schema that this program does not know: {error}. Use the program that "
            "made it, or a newer one."
        ) from error


@contextlib.contextmanager
def _named(engine: Engine) -> Iterator[None]:
    """Errors of the driver as ours, without the statement's values: they may be secrets."""
    try:
        yield
    except (DBAPIError, engine.dialect.loaded_dbapi.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise DatabaseError(
            f"the database {shown(engine.url)} failed: {cause}. Check that it runs, that its disk "
            "has room, and that you may write there."
        ) from error
