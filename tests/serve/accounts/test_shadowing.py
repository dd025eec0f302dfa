"""A candidate is asked beside a supplier: clients notice nothing, the report says how it did."""

import asyncio
import contextlib
import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from openai import OpenAI
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from archipel.database import Database
from archipel.errors import ConfigError
from archipel.serve.access import Visit
from archipel.serve.accounts.administer import Office
from archipel.serve.accounts.opened import open_accounts
from archipel.serve.accounts.shadow_report import reports
from archipel.serve.accounts.shadowing import Shadows
from archipel.serve.accounts.tables import shadow_answers, usage
from archipel.serve.counting import Tokens
from archipel.serve.dispatch import Dispatcher
from archipel.serve.observers import Usual
from archipel.serve.providers import Directory
from archipel.serve.question import Question
from archipel.serve.routing import Policy, Target
from archipel.serve.shadow import Shadow
from archipel.serve.upstream import Answer
from tests.serve.accounts.test_access import Supplier
from tests.serve.accounts.test_commands import _serve, command
from tests.serve.scripted import hosted_in_thread

__all__ = ["command"]

Archipel = Callable[..., subprocess.Popen[str]]


class _Candidate(Supplier):
    """Says four of the five words, or nothing at all."""

    async def chat(self, request: Request) -> Response:
        self.bodies.append(await request.json())
        if "broken" in json.dumps(self.bodies[-1]):
            return JSONResponse({"error": {"message": "no"}}, 400)
        message = {"role": "assistant", "content": "one two three four"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        used = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
        return JSONResponse({**answer, "choices": [choice], "usage": used})


def _compared(accounts: Database, count: int) -> None:
    """Wait until so many comparisons are kept."""
    for _ in range(20_000):
        with accounts.reading() as connection:
            if connection.execute(select(func.count(shadow_answers.c.id))).scalar() == count:
                return
    raise AssertionError(count)


def test_a_candidate_is_compared_and_clients_notice_nothing(
    archipel: Archipel, command: Callable[..., str], url: str, tmp_path: Path
) -> None:
    usual, candidate = Supplier(), _Candidate()
    with contextlib.ExitStack() as stack:
        urls = []
        for one in (usual, candidate):
            app = Starlette(routes=[Route("/v1/chat/completions", one.chat, methods=["POST"])])
            urls.append(stack.enter_context(hosted_in_thread(app)) + "/v1")
        file = tmp_path / "service.toml"
        price = "prompt_price = 1.0, completion_price = 2.0"
        file.write_text(
            f"""
            [accounts]
            [providers.first]
            url = "{urls[0]}"
            [providers.second]
            url = "{urls[1]}"
            [routes.chat]
            targets = [{{provider = "first", model = "m", {price}}}]
            [routes.new]
            targets = [{{provider = "second", model = "n", {price}}}]
            """
        )
        command("keys", "project", "site", "--organisation", "ours")
        secret = command("keys", "create", "k", "--project", "site").strip()
        command("route", "shadow", "chat", "--to", "new", "--share", "1")
        assert "new is asked 100.0% of what chat is asked" in command("route", "list")
        process, service = _serve(archipel, url, file)
        with OpenAI(base_url=service, api_key=secret, max_retries=0, timeout=20) as client:
            asked: dict[str, Any] = {"model": "chat"}
            asked["messages"] = [{"role": "user", "content": "Count."}]
            for _ in range(2):
                answer = client.chat.completions.create(**asked)
                assert answer.choices[0].message.content == "one two three four five"
            said = "".join(
                chunk.choices[0].delta.content or ""
                for chunk in client.chat.completions.create(**asked, stream=True)
                if chunk.choices
            )
            assert said.strip() == "one two three four five"
            asked["messages"] = [{"role": "user", "content": "broken"}]
            client.chat.completions.create(**asked)
        accounts = open_accounts(url)
        stack.callback(accounts.close)
        _compared(accounts, 4)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        with accounts.reading() as connection:
            (report,) = reports(connection, "chat")
            assert connection.execute(select(func.count(usage.c.id))).scalar() == 4
    assert (report.candidate, report.compared, report.failed, report.same) == ("new", 4, 1, 0)
    assert report.words_p50 == pytest.approx(8 / 9)
    assert report.usual is not None
    assert report.its is not None
    assert (report.usual.completion_tokens, report.its.completion_tokens) == (15, 12)
    assert report.its.cost == pytest.approx(3 * 11e-6)
    assert [body["model"] for body in candidate.bodies] == ["n"] * 4
    assert not any("stream" in body for body in candidate.bodies)
    told = command("route", "shadow", "chat")
    assert "0.89" in told
    assert "Count" not in told
    assert json.loads(command("route", "shadow", "chat", "--json"))[0]["compared"] == 4
    command("route", "shadow", "chat", "--stop")
    assert command("route", "list") == ""


def _wants(shadows: Shadows, route: str) -> bool:
    return shadows.wants(route, cast("Visit", None)) is not None


def test_a_share_is_drawn_and_a_candidate_elsewhere_never_sees_what_stays_here(
    accounts: Database,
) -> None:
    here, there = (Target(name, "m", is_here=name == "here") for name in ("here", "there"))
    policies = {
        "chat": Policy("chat", (here,)),
        "closed": Policy("closed", (here,), data_stays_here=True),
        "new": Policy("new", (there,)),
    }
    directory = Directory(policies, {})
    directory.shadows = {"chat": Shadow("new", 0.25), "closed": Shadow("new", 1.0)}

    async def wanted() -> tuple[int, int, bool]:
        draws = iter([n / 100 for n in range(100)] * 3)
        shadows = Shadows(accounts, directory, draws.__next__)
        drawn = sum(_wants(shadows, "chat") for _ in range(100))
        closed = sum(_wants(shadows, "closed") for _ in range(100))
        return drawn, closed, _wants(shadows, "new")

    assert asyncio.run(wanted()) == (25, 0, False)


def test_a_candidate_that_may_not_be_asked_is_named_in_the_log_once(
    accounts: Database, caplog: pytest.LogCaptureFixture
) -> None:
    here = Target("here", "m", is_here=True)
    usual = Policy("chat", (here,), data_stays_here=True)
    other = Policy("new", (Target("there", "m", is_here=False),))
    directory = Directory({"chat": usual, "new": other}, {})
    directory.shadows = {"chat": Shadow("new", 1.0)}
    shadows = Shadows(accounts, directory)
    assert not any(_wants(shadows, "chat") for _ in range(100))
    assert [record.getMessage()[:28] for record in caplog.records] == [
        "chat may not be shadowed by "
    ]
    directory.policies = {"chat": usual, "new": Policy("new", (here,))}
    assert _wants(shadows, "chat")  # put right, and then wrong again
    directory.policies = {"chat": usual, "new": other}
    assert not _wants(shadows, "chat")
    assert len(caplog.records) == 2


def test_a_service_that_ends_keeps_no_comparison_as_a_failure(accounts: Database) -> None:
    here = (Target("here", "m", is_here=True),)
    directory = Directory({name: Policy(name, here) for name in ("chat", "new")}, {})
    directory.shadows = {"chat": Shadow("new", 1.0)}
    answer = b'{"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}'
    usual = Usual(Target("s", "m", is_here=True), answer, 1.0, Tokens(1, 1))

    class Silent:
        async def answer(self, name: str, question: Question) -> Answer:
            await asyncio.Event().wait()
            raise AssertionError

    async def end() -> None:
        shadows = Shadows(accounts, directory)
        question = Question("/chat/completions", {"model": "chat", "messages": []}, None)
        seen = shadows.wants("chat", cast("Visit", None))
        assert seen is not None
        seen(cast("Dispatcher", Silent()), question, usual)
        await asyncio.sleep(0)
        await shadows.leave()

    asyncio.run(end())
    with accounts.reading() as connection:
        assert reports(connection, "chat") == []


def test_orders_that_make_no_sense_are_refused(accounts: Database) -> None:
    with accounts.writing() as connection:
        office = Office(connection, "tester", 1.8e9)
        for share in (0.0, 1.5, -1.0, float("nan")):
            with pytest.raises(ConfigError, match="--share"):
                office.shadow("chat", "new", share)
        with pytest.raises(ConfigError, match="its own candidate"):
            office.shadow("chat", "chat", 0.5)
        with pytest.raises(ConfigError, match="none is"):
            office.stop_shadow("chat")
