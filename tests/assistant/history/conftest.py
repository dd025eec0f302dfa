"""An empty history in SQLite and in a real PostgreSQL server, one test for both."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from archipel.assistant.history.opened import open_history
from archipel.database import Database
from tests.serve.accounts.conftest import postgresql

__all__ = ["postgresql"]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'assistant.db'}"
    server: str = request.getfixturevalue("postgresql")
    name = f"history_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.format("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.format(name)


@pytest.fixture
def history(url: str) -> Iterator[Database]:
    """The history, with nothing in it."""
    opened = open_history(url)
    yield opened
    opened.close()
