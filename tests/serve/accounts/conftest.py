"""Empty accounts in SQLite and in a real PostgreSQL server, one test for both."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from archipel.database import Database
from archipel.errors import ArchipelError
from archipel.serve.accounts.administer import NewKey, Office
from archipel.serve.accounts.opened import open_accounts
from tests.conftest import missing

PEPPER = b"pepper"
_DEBIAN = "/usr/lib/postgresql"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A PostgreSQL server that listens in a folder only; its URL without a database."""
    programs = [str(path) for path in sorted(Path(_DEBIAN).glob("*/bin"))]
    path = os.pathsep.join([*reversed(programs), os.environ["PATH"]])
    initdb, control = shutil.which("initdb", path=path), shutil.which("pg_ctl", path=path)
    if initdb is None or control is None:
        missing("postgresql")
    assert initdb is not None
    assert control is not None
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    if os.getuid() == 0:  # the server refuses to run as root
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        as_user = {"user": user, "cwd": folder}
    else:
        as_user = {"cwd": folder}
    data = folder / "data"

    def run(*command: object) -> None:
        found = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, **as_user
        )
        assert found.returncode == 0, found.stdout + found.stderr

    run(initdb, "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    run(control, "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
    try:
        yield f"postgresql://postgres@/{{}}?host={folder}"
    finally:
        run(control, "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'service.db'}"
    server: str = request.getfixturevalue("postgresql")
    name = f"accounts_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.format("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.format(name)


@pytest.fixture
def accounts(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The accounts with one project, `site`, of the organisation `ours`."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    opened = open_accounts(url)
    with opened.writing() as connection:
        Office(connection, "tester", time.time()).add_project("site", "ours")
    yield opened
    opened.close()


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Empty accounts in SQLite, for what does not hang on the database."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    opened = open_accounts(f"sqlite:///{tmp_path}/few.db")
    yield opened
    opened.close()


def add_key(accounts: Database, *limits: str, **fields: object) -> str:
    """A key with limits of its own; its secret."""
    with accounts.writing() as connection:
        office = Office(connection, "tester", time.time())
        secret = office.add_key(NewKey("a key", "site", **fields), PEPPER)  # type: ignore[arg-type]
        for limit in limits:
            office.set_limit(f"key:{secret[:13]}", limit)
    return secret


@pytest.fixture
def office_command(url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run one command of the administrator in this process; what it printed."""
    from archipel import log
    from archipel.cli.main import app

    def as_it_is(verbose: bool, *, as_json: bool) -> None:
        """The other tests of this process want the log as pytest has it."""

    monkeypatch.setattr(log, "setup", as_it_is)

    def run(*arguments: object, fails: bool = False) -> str:
        environment = {"DATABASE_URL": url, "ARCHIPEL_SECRET": "pepper", "COLUMNS": "200"}
        found = CliRunner().invoke(app, [*map(str, arguments)], env=environment)
        if fails:
            assert isinstance(found.exception, ArchipelError), found.output
            return str(found.exception)
        assert found.exit_code == 0, found.output
        return found.output

    return run
