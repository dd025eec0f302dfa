"""The books, on SQLite and PostgreSQL: never overspent, each request billed once."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import delete, func, select, update

from archipel.database import Database
from archipel.errors import ConfigError, DatabaseError, IntegrityError
from archipel.serve.accounts import audit, books, keys, tables
from archipel.serve.accounts.administer import Office
from archipel.serve.accounts.books import Asked, OverLimit, Reservation, Took
from archipel.serve.accounts.limits import Need
from archipel.serve.accounts.meter import Meter
from archipel.serve.accounts.opened import open_accounts
from tests.serve.accounts.conftest import PEPPER, add_key

NOW = 1_800_000_000.0


def _asked(accounts: Database, secret: str, tokens: int = 10) -> Asked:
    with accounts.reading() as connection:
        key = keys.find(connection, keys.digest(secret, PEPPER), time.time())
    assert key is not None
    return Asked(key, "/chat/completions", "chat", Need(tokens, 1000 * tokens))


def _reserve(accounts: Database, *asked: Asked, worker: str = "w") -> list[Reservation | OverLimit]:
    with accounts.writing() as connection:
        return books.reserve(connection, asked, worker, NOW)


def _settle(accounts: Database, *ended: tuple[Reservation, Took]) -> None:
    with accounts.writing() as connection:
        books.settle(connection, ended)


def _counter(accounts: Database) -> int:
    with accounts.reading() as connection:
        return connection.execute(select(func.sum(tables.counters.c.value))).scalar_one()


def _billed(accounts: Database) -> list[tuple[str, int]]:
    columns = tables.usage.c.outcome, tables.usage.c.completion_tokens
    with accounts.reading() as connection:
        return [tuple(row) for row in connection.execute(select(*columns))]


def test_the_migrations_make_the_tables_that_the_code_uses(accounts: Database) -> None:
    with accounts.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
        assert context.get_current_revision() == tables.NEWEST


def test_nobody_else_reads_a_sqlite_file(tmp_path: Path) -> None:
    file = tmp_path / "new" / "service.db"
    accounts = open_accounts(f"sqlite:///{file}")
    with accounts.writing() as connection:
        Office(connection, "tester", NOW).add_project("site", "ours")
        modes = {path.name: path.stat().st_mode & 0o777 for path in file.parent.iterdir()}
    accounts.close()
    assert modes == dict.fromkeys(["service.db", "service.db-wal", "service.db-shm"], 0o600)


def test_64_processes_at_once_never_overspend(accounts: Database) -> None:
    asked = _asked(accounts, add_key(accounts, "tokens/day=205"))
    with ThreadPoolExecutor(16) as pool:
        found = [
            one for its in pool.map(lambda _: _reserve(accounts, asked), range(64)) for one in its
        ]
    assert sum(isinstance(one, Reservation) for one in found) == 20
    assert _counter(accounts) == 200


def test_64_requests_of_one_process_never_overspend(accounts: Database) -> None:
    asked = _asked(accounts, add_key(accounts, "money/month=0.000205"))

    async def ask() -> list[Reservation | BaseException]:
        meter = Meter(accounts)
        async with meter.writing():
            every = [meter.reserve(asked) for _ in range(64)]
            return await asyncio.gather(*every, return_exceptions=True)

    found = asyncio.run(ask())
    assert sum(isinstance(one, Reservation) for one in found) == 20
    assert {type(one) for one in found} == {Reservation, OverLimit}
    assert _counter(accounts) == 200_000


def test_what_a_request_did_not_use_is_given_back(accounts: Database) -> None:
    asked = _asked(accounts, add_key(accounts, "tokens/day=15", "concurrent=1"))
    (one,) = _reserve(accounts, asked)
    assert isinstance(one, Reservation)
    assert isinstance(_reserve(accounts, asked)[0], OverLimit)
    _settle(accounts, (one, Took("answered", 1.0, completion_tokens=3)))
    assert _counter(accounts) == 3
    assert isinstance(_reserve(accounts, asked)[0], Reservation)


def test_a_request_is_billed_once_however_often_it_is_settled(accounts: Database) -> None:
    (one,) = _reserve(accounts, _asked(accounts, add_key(accounts, "tokens/day=15")))
    assert isinstance(one, Reservation)
    took = Took("answered", 1.0, completion_tokens=3)
    _settle(accounts, (one, took), (one, took))
    _settle(accounts, (one, took))
    assert _billed(accounts) == [("answered", 3)]
    assert _counter(accounts) == 3


def test_what_a_dead_process_left_is_billed_as_reserved(accounts: Database) -> None:
    asked = _asked(accounts, add_key(accounts, "tokens/day=15", "concurrent=1"))
    with accounts.writing() as connection:
        books.beat(connection, "dead", NOW)
        books.beat(connection, "alive", NOW)
        books.reserve(connection, [asked], "dead", NOW)
    with accounts.writing() as connection:
        assert books.settle_lost(connection, NOW + 59) == []
    with accounts.writing() as connection:
        books.beat(connection, "alive", NOW + 60)
        (lost,) = books.settle_lost(connection, NOW + 61)
        assert books.settle_lost(connection, NOW + 61) == []
    assert _billed(accounts) == [("lost", 10)]
    assert _counter(accounts) == 10
    assert lost


def test_what_was_settled_is_written_when_the_service_ends(accounts: Database) -> None:
    asked = _asked(accounts, add_key(accounts))

    async def ask() -> None:
        meter = Meter(accounts)
        async with meter.writing():
            meter.settle(await meter.reserve(asked), Took("answered", 1.0, completion_tokens=7))

    asyncio.run(ask())
    assert _billed(accounts) == [("answered", 7)]


def test_who_leaves_before_being_entered_gives_all_back(accounts: Database) -> None:
    asked = _asked(accounts, add_key(accounts, "tokens/day=15", "concurrent=1"))

    async def ask() -> None:
        meter = Meter(accounts)
        async with meter.writing():
            with accounts.writing():  # nothing can be entered
                reserving = asyncio.create_task(meter.reserve(asked))
                await asyncio.sleep(0)
                reserving.cancel()
                await asyncio.gather(reserving, return_exceptions=True)
            await meter.reserve(_asked(accounts, add_key(accounts)))

    asyncio.run(ask())
    assert _counter(accounts) == 0


def test_usage_and_audit_can_only_grow(accounts: Database) -> None:
    (one,) = _reserve(accounts, _asked(accounts, add_key(accounts)))
    assert isinstance(one, Reservation)
    _settle(accounts, (one, Took("answered", 1.0)))
    for table in (tables.usage, tables.audit):
        for change in (delete(table), update(table).values(**{table.c.keys()[1]: 0})):
            with (
                pytest.raises(DatabaseError, match="append-only"),
                accounts.writing() as connection,
            ):
                connection.execute(change)


@pytest.mark.parametrize("fault", ["altered", "taken out"])
def test_a_change_to_the_audit_log_is_found(accounts: Database, fault: str) -> None:
    add_key(accounts, "requests/minute=5")
    with accounts.reading() as connection:
        assert [act.act for act in audit.acts(connection)] == [
            "project.add",
            "key.add",
            "limit.set",
        ]
    second = tables.audit.c.number == 2
    with accounts.writing() as connection:
        _allow_changes(connection)
        if fault == "altered":
            connection.execute(update(tables.audit).where(second).values(actor="nobody"))
        else:
            connection.execute(delete(tables.audit).where(second))
    with accounts.reading() as connection, pytest.raises(IntegrityError, match="row 2"):
        list(audit.acts(connection))


def _allow_changes(connection) -> None:
    """As who owns the database file can."""
    if connection.dialect.name == "sqlite":
        for act in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER audit_no_{act}")
    else:
        connection.exec_driver_sql("DROP TRIGGER audit_append_only ON audit")


def test_another_amount_keeps_what_was_used(accounts: Database) -> None:
    secret = add_key(accounts, "tokens/day=10")
    _reserve(accounts, _asked(accounts, secret))
    with accounts.writing() as connection:
        Office(connection, "tester", NOW).set_limit(f"key:{secret[:13]}", "tokens/day=19")
    assert isinstance(_reserve(accounts, _asked(accounts, secret))[0], OverLimit)


@pytest.mark.parametrize(
    "limit",
    [
        "",
        "tokens",
        "tokens/year=3",
        "tokens/day=1.5",
        "money=3",
        "concurrent/day=3",
        "tokens/day=-1",
        "tokens/day=99999999999999999999",
    ],
)
def test_a_limit_that_is_none_is_refused(accounts: Database, limit: str) -> None:
    with pytest.raises(ConfigError), accounts.writing() as connection:
        Office(connection, "tester", NOW).set_limit("project:site", limit)


def test_a_newer_schema_is_left_alone(accounts: Database, url: str) -> None:
    with accounts.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match="9999"):
        open_accounts(url)


def test_a_password_is_not_shown() -> None:
    with pytest.raises(DatabaseError) as caught:
        open_accounts("postgresql://us:secret@127.0.0.1:1/x")
    assert "secret" not in str(caught.value)
