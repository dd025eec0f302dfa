"""Exchanges of projects that keep them: sealed, read by an act that is audited, deleted in time."""

import asyncio
import contextlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from openai import OpenAI
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.routing import Route

from archipel.database import Database
from archipel.errors import ConfigError, IntegrityError
from archipel.serve.access import Keep, Visit
from archipel.serve.accounts import exchanges
from archipel.serve.accounts.administer import Office
from archipel.serve.accounts.exchanges import Seal
from archipel.serve.accounts.keeping import Keeper
from archipel.serve.accounts.opened import open_accounts
from archipel.serve.counting import Tokens
from archipel.serve.dispatch import Dispatcher
from archipel.serve.observers import Usual
from archipel.serve.question import Question
from archipel.serve.routing import Target
from tests.serve.accounts.conftest import PEPPER, add_key
from tests.serve.accounts.test_access import NOW, Supplier
from tests.serve.accounts.test_commands import _serve
from tests.serve.scripted import hosted_in_thread

_ASKED = "where do penguins sleep, asks jo@example.org"


def _count(accounts: Database) -> int:
    with accounts.reading() as connection:
        return connection.execute(select(func.count(exchanges.exchanges.c.id))).scalar() or 0


def test_a_project_keeps_what_it_asks_and_nobody_reads_it_unseen(
    archipel: Callable[..., subprocess.Popen[str]],
    office_command: Callable[..., str],
    url: str,
    tmp_path: Path,
) -> None:
    supplier = Supplier()
    app = Starlette(routes=[Route("/v1/chat/completions", supplier.chat, methods=["POST"])])
    with contextlib.ExitStack() as stack:
        file = tmp_path / "service.toml"
        file.write_text(
            f"""
            [accounts]
            [providers.s]
            url = "{stack.enter_context(hosted_in_thread(app))}/v1"
            [routes.chat]
            targets = [{{provider = "s", model = "m"}}]
            """
        )
        for project in ("kept", "not"):
            office_command("keys", "project", project, "--organisation", "ours")
        secrets = [
            office_command("keys", "create", "k", "--project", project).strip()
            for project in ("kept", "not")
        ]
        office_command(
            "rules", "add", "mails", "--project", "kept", "--pattern", "email", "--do", "mask"
        )
        office_command("exchanges", "keep", "kept", "--days", 30)
        process, service = _serve(archipel, url, file)
        asked: Any = {"model": "chat", "messages": [{"role": "user", "content": _ASKED}]}
        for secret in secrets:
            with OpenAI(base_url=service, api_key=secret, max_retries=0, timeout=20) as client:
                client.chat.completions.create(**asked)
                assert list(client.chat.completions.create(**asked, stream=True))
        process.terminate()
        process.communicate(timeout=20)  # what was to be kept is written
    accounts = open_accounts(url)
    with contextlib.closing(accounts), accounts.reading() as connection:
        rows = list(connection.execute(select(exchanges.exchanges)))
    assert len(rows) == 2
    assert not any(b"penguin" in row.question or b"three" in row.answer for row in rows)
    listed = office_command("exchanges", "list")
    assert "kept keeps 100.0% for 30 days" in listed
    assert secrets[0][:13] in listed
    assert "penguins" not in listed
    for line in office_command("exchanges", "export", "kept", "-").splitlines():
        told = json.loads(line)
        assert told["question"]["messages"][0]["content"] == _ASKED.replace(
            "jo@example.org", "[email]"
        )
        assert told["answer"]["text"].strip() == "one two three four five"
        assert (told["project"], told["model"], told["provider"]) == ("kept", "chat", "s")
    shown = json.loads(office_command("exchanges", "show", rows[0].id[:13]))
    assert (shown["endpoint"], shown["whole"]) == ("/chat/completions", True)
    assert "2 exchanges" in office_command("exchanges", "purge", "kept")
    office_command("exchanges", "keep", "kept", "--stop")
    assert "keeps nothing" in office_command("exchanges", "keep", "kept", "--stop", fails=True)
    audit = office_command("audit")
    for act in ("keep", "list", "show", "export", "purge", "stop"):
        assert f"exchanges.{act}" in audit


def _keep(accounts: Database, keeper: Keeper, answer: bytes = b"{}", days: float = 1.0) -> None:
    with accounts.reading() as connection:
        key, project = connection.execute(
            select(exchanges.keys.c.id, exchanges.keys.c.project)
        ).first() or (0, 0)

    class Kept:
        keep = Keep(project, key, "/chat/completions", days, 0.5)

    async def write() -> None:
        question = Question("/chat/completions", {"model": "chat", "messages": []}, None)
        seen = keeper.wants("chat", cast("Visit", Kept()))
        if seen:
            usual = Usual(Target("s", "m", is_here=True), answer, 1.0, Tokens(1, 2))
            seen(cast("Dispatcher", None), question, usual)
        await keeper.leave()

    asyncio.run(write())


def test_a_share_is_kept_and_a_long_answer_is_cut(accounts: Database) -> None:
    add_key(accounts)
    draws = iter([0.1, 0.9, 0.5, 0.49])
    keeper = Keeper(accounts, Seal(PEPPER), draws.__next__, lambda: NOW)
    for _ in range(4):
        _keep(accounts, keeper, b"x" * (3 << 20))
    assert _count(accounts) == 2
    with accounts.reading() as connection:
        kept = exchanges.newest(connection, None, 9)[0]
        found = exchanges.one(connection, kept.id, Seal(PEPPER))
        assert found.answer == b"x" * (1 << 20)
        assert not found.whole
        with pytest.raises(ConfigError, match="no exchanges"):
            exchanges.one(connection, "%", Seal(PEPPER))
        with pytest.raises(IntegrityError, match="secret"):
            exchanges.one(connection, kept.id, Seal(b"another"))


def test_rows_that_are_swapped_or_altered_are_not_read(accounts: Database) -> None:
    add_key(accounts)
    keeper = Keeper(accounts, Seal(PEPPER), lambda: 0.0, lambda: NOW)
    _keep(accounts, keeper)
    _keep(accounts, keeper)
    table = exchanges.exchanges
    with accounts.writing() as connection:
        one, other = connection.execute(select(table.c.id, table.c.question)).all()
        connection.execute(table.update().where(table.c.id == one.id).values(question=other[1]))
        connection.execute(table.update().where(table.c.id == other.id).values(answer=b"short"))
    with accounts.reading() as connection:
        for id in (one.id, other.id):
            with pytest.raises(IntegrityError, match="altered"):
                exchanges.one(connection, id, Seal(PEPPER))


def test_exchanges_go_when_their_days_are_over(accounts: Database) -> None:
    add_key(accounts)
    seal, now = Seal(PEPPER), NOW
    for days in (1.0, 3.0):
        _keep(accounts, Keeper(accounts, seal, lambda: 0.0, lambda: now), days=days)

    async def purge(at: float) -> int:
        before = _count(accounts)
        async with Keeper(accounts, seal, clock=lambda: at).purging():
            while (left := _count(accounts)) == before:
                await asyncio.sleep(0)
        return left

    assert asyncio.run(purge(NOW + 2 * 24 * 3600)) == 1
    with accounts.writing() as connection:  # shorter days hold for what is there already
        exchanges.keep(Office(connection, "tester", NOW), "site", 0.5, 1.0)
    assert asyncio.run(purge(NOW + 24 * 3600)) == 0


def test_orders_that_make_no_sense_are_refused(accounts: Database) -> None:
    with accounts.writing() as connection:
        office = Office(connection, "tester", NOW)
        for days, share in ((0, 1), (-1, 1), (float("nan"), 1), (1, 0), (1, 1.1), (1e9, 1)):
            with pytest.raises(ConfigError, match="give more than 0"):
                exchanges.keep(office, "site", days, share)
        with pytest.raises(ConfigError, match="no project"):
            exchanges.keep(office, "nobody", 1, 1)
        with pytest.raises(ConfigError, match="keeps nothing"):
            exchanges.stop(office, "site")
