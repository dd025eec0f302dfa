"""The service before suppliers that answer at once: what it adds, how much it carries, failover;
and before a real engine: what of its speed gets through.

Keys, limits and metering are on, in SQLite. Suppliers, service and clients are processes of their
own on this machine, the ways are taken in turns. What is added is the difference to asking a
supplier without the service between.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

from sqlalchemy import func, select

from archipel.database import Database
from archipel.errors import ConfigError
from archipel.serve.accounts.administer import NewKey, Office
from archipel.serve.accounts.keys import prefix, read_pepper
from archipel.serve.accounts.limits import NANOS
from archipel.serve.accounts.opened import open_accounts
from archipel.serve.accounts.tables import keys, reservations, usage
from benchmarks.serving import engine
from benchmarks.serving.litellm import litellm
from benchmarks.serving.load import (
    Door,
    Timed,
    at_once,
    counted,
    in_turn,
    started,
    together,
)

_CLIENTS = 32
_STREAMS_A_SECOND = 350
_OPEN_STREAMS = 1000
_MANY = 10_000
_PRICE = "prompt_price = 1.0, completion_price = 2.0"
_LIMITS = (
    *("requests/minute=1000000", "tokens/day=1000000000000", "money/month=1000000"),
    "concurrent=10000",
)


def run(quick: bool) -> dict[str, float | int]:
    """Measure and return the figures; times are medians over rounds."""
    rounds, count, seconds = (3, 200, 3.0) if quick else (5, 500, 6.0)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (upstream, url), (_, other) = (stack.enter_context(_upstream()) for _ in range(2))
        os.environ["ARCHIPEL_HOME"] = str(folder)  # the accounts of this process and the service
        accounts = stack.enter_context(_accounts())
        door = Door("", "chat", _key(accounts, *_LIMITS))
        suppliers = _suppliers([url, other])
        service, door = stack.enter_context(_service(folder, suppliers, door))
        direct = Door(url, "m")
        figures = _against(direct, door, service, rounds, count)
        try:
            peer = stack.enter_context(litellm(folder, url))
            figures |= _carried(door, peer, rounds, seconds)
        except ConfigError as error:  # the other figures don't need it
            print(error, file=sys.stderr)
        figures |= _paced(direct, door, service, seconds)
        figures |= _grown(door, service)
        figures |= _held(replace(door, model="held"), service)
        figures["overspend"] = _overspend(accounts, door)
        figures |= asyncio.run(_failover(door, upstream))
    return figures | _before_an_engine(rounds)


def _before_an_engine(rounds: int) -> dict[str, float | int]:
    """What a real engine gives through the service, and beside a busy neighbour."""
    file = engine.weights()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ["ARCHIPEL_HOME"] = str(folder)
        key = _key(stack.enter_context(_accounts()), *_LIMITS)
        direct = engine.straight(stack.enter_context(engine.engine(file)))
        os.environ["ENGINE_KEY"] = direct.key
        provider = f'[providers.engine]\nurl = "{direct.url}"\nkey_env = "ENGINE_KEY"\n'
        target = f'{{provider = "engine", model = "{direct.model}", {_PRICE}}}'
        settings = f"[accounts]\n{provider}[routes.chat]\ntargets = [{target}]\n"
        _, door = stack.enter_context(_service(folder, settings, Door("", "chat", key)))
        figures = engine.against(direct, door, rounds) | engine.bare(direct, rounds)
        return figures | engine.neighbour(door, rounds)


def _against(
    direct: Door, door: Door, service: int, rounds: int, count: int
) -> dict[str, float | int]:
    """One request after the other, with and without the service between."""
    added, cpu = [], []
    for _ in range(rounds):
        bare = asyncio.run(in_turn(direct, count, stream=False))
        before = _cpu_seconds(service)
        through = asyncio.run(in_turn(door, count, stream=False))
        cpu.append((_cpu_seconds(service) - before) / count)
        added.append(_p50(through) - _p50(bare))
    return {
        "added_p50_ms": round(1000 * median(added), 3),
        "cpu_ms_per_request": round(1000 * median(cpu), 3),
    }


def _carried(door: Door, peer: Door, rounds: int, seconds: float) -> dict[str, float | int]:
    """As many as go through at once, beside LiteLLM's proxy."""
    figures: dict[str, float | int] = {}
    for what, stream in (("requests", False), ("streams", True)):
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(asyncio.run(at_once(door, _CLIENTS, seconds, stream=stream)))
            theirs.append(asyncio.run(at_once(peer, _CLIENTS, seconds, stream=stream)))
        ratios = [mine / its for mine, its in zip(ours, theirs, strict=True)]
        figures[f"{what}_per_second"] = round(median(ours))
        figures[f"{what}_per_second_litellm"] = round(median(theirs), 1)
        figures[f"{what}_ratio_to_litellm"] = round(median(ratios), 1)
    return figures


def _paced(direct: Door, door: Door, service: int, seconds: float) -> dict[str, float | int]:
    """What is added to the first token when streams are started at a fixed rate, and what of a core
    a stream of 100 pieces takes."""
    bare = asyncio.run(started(direct, _STREAMS_A_SECOND, 2 * seconds))
    before = _cpu_seconds(service)
    through = asyncio.run(started(door, _STREAMS_A_SECOND, 2 * seconds))
    used = _cpu_seconds(service) - before
    return {
        "streams_started_a_second": _STREAMS_A_SECOND,
        "failed_streams": sum(isinstance(found, BaseException) for found in through),
        "added_first_token_p99_ms": round(1000 * (_p99(through) - _p99(bare)), 1),
        "cpu_ms_per_stream": round(1000 * used / len(through), 3),
    }


def _held(door: Door, service: int) -> dict[str, float | int]:
    """Streams that are all open at once, how many of them failed, and what memory they leave."""
    found = asyncio.run(started(door, _OPEN_STREAMS / 5, 5.0))
    failed = sum(isinstance(one, BaseException) for one in found)
    rss = round(_rss_bytes(service) / 1e6, 1)
    return {
        "open_streams": len(found),
        "failed_open_streams": failed,
        "rss_megabytes_after_open_streams": rss,
    }


def _grown(door: Door, service: int) -> dict[str, float | int]:
    """What 10,000 requests leave in the service's memory."""
    before = _rss_bytes(service)
    asyncio.run(counted(door, _CLIENTS, _MANY))
    after = _rss_bytes(service)
    return {
        "rss_megabytes": round(after / 1e6, 1),
        "memory_growth_10k_requests": round(after / before - 1, 4),
    }


def _overspend(accounts: Database, door: Door) -> float:
    """What 64 requests at once take beyond a budget that is nearly spent, in its currency."""
    budget = 1e-3  # of which one request may take a fifth
    poor = replace(door, key=_key(accounts, f"money/month={budget:.9f}"))
    asyncio.run(together(poor, 64))
    while _under_way(accounts):
        time.sleep(0.05)
    with accounts.reading() as connection:
        its = keys.c.prefix == prefix(poor.key)
        spent = select(func.sum(usage.c.nanos)).join(keys, keys.c.id == usage.c.key).where(its)
        return float(max(0.0, (connection.execute(spent).scalar_one() or 0) / NANOS - budget))


def _under_way(accounts: Database) -> bool:
    with accounts.reading() as connection:
        return connection.execute(select(reservations.c.id)).first() is not None


async def _failover(door: Door, upstream: subprocess.Popen[str]) -> dict[str, float | int]:
    """Kill the first supplier while streams are started, and count those that failed."""
    loop = asyncio.get_running_loop()
    loop.call_later(2.0, upstream.kill)
    found = await started(door, 200, 4.0)
    errors = [error for error in found if isinstance(error, BaseException)]
    return {"streams_on_failover": len(found), "failed_requests_on_failover": len(errors)}


def _p50(times: Sequence[Timed]) -> float:
    return median(timed.end for timed in times)


def _p99(found: Sequence[Timed | BaseException]) -> float:
    firsts = sorted(timed.first for timed in found if isinstance(timed, Timed))
    return firsts[int(0.99 * len(firsts))]


@contextmanager
def _upstream() -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "benchmarks.serving.upstream"]
    with _process(command) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()


@contextmanager
def _accounts() -> Iterator[Database]:
    """Accounts in SQLite with one project."""
    accounts = open_accounts(None)
    try:
        with accounts.writing() as connection:
            Office(connection, "benchmark", time.time()).add_project("benchmark", "benchmark")
        yield accounts
    finally:
        accounts.close()


def _key(accounts: Database, *limits: str) -> str:
    with accounts.writing() as connection:
        office = Office(connection, "benchmark", time.time())
        secret = office.add_key(NewKey("benchmark", "benchmark"), read_pepper())
        for limit in limits:
            office.set_limit(f"key:{prefix(secret)}", limit)
    return secret


def _suppliers(urls: Sequence[str]) -> str:
    """Settings with accounts and one route over the suppliers, and one to a model that is slow."""
    tables = [f'[providers.s{n}]\nurl = "{url}"\n' for n, url in enumerate(urls)]
    targets = ", ".join(f'{{provider = "s{n}", model = "m", {_PRICE}}}' for n in range(len(urls)))
    held = f'{{provider = "s0", model = "held", {_PRICE}}}'
    routes = f"[routes.chat]\ntargets = [{targets}]\n[routes.held]\ntargets = [{held}]\n"
    return "[accounts]\n" + "".join(tables) + routes


@contextmanager
def _service(folder: Path, settings: str, door: Door) -> Iterator[tuple[int, Door]]:
    """`archipel serve` with these settings; its process and way in."""
    file = folder / "service.toml"
    file.write_text(settings)
    command = [sys.executable, "-m", "archipel", "serve", "--config", str(file), "--port", "0"]
    with _process(command) as process:
        assert process.stdout is not None
        yield process.pid, replace(door, url=process.stdout.readline().split()[1])


@contextmanager
def _process(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_bytes(process: int) -> int:
    fields = Path(f"/proc/{process}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
