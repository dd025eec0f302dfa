"""What it takes to enter a request in the books and to settle it, in SQLite, without HTTP."""

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median

from archipel.database import Database
from archipel.serve.accounts.administer import NewKey, Office
from archipel.serve.accounts.books import Asked, Reservation, Took, reserve, settle
from archipel.serve.accounts.keys import Key, digest, find, prefix
from archipel.serve.accounts.limits import Need
from archipel.serve.accounts.meter import Meter
from archipel.serve.accounts.opened import open_accounts

_LIMITS = (
    *("requests/minute=1000000", "tokens/day=1000000000000", "money/month=1000000"),
    "concurrent=10000",
)
_PEPPER = b"benchmark"
_TOOK = Took("answered", 0.1, "supplier", "model", 10, 10, False, 100)


def run(quick: bool) -> dict[str, float]:
    """Medians over rounds; times in milliseconds."""
    rounds, count = (3, 2_000) if quick else (7, 5_000)
    with tempfile.TemporaryDirectory() as folder:
        accounts = open_accounts(f"sqlite:///{Path(folder) / 'service.db'}")
        try:
            asked = Asked(_key(accounts), "/chat/completions", "chat", Need(100, 1_000))
            alone = [asyncio.run(_through(accounts, asked, 1, count)) for _ in range(rounds)]
            many = [asyncio.run(_through(accounts, asked, 32, count)) for _ in range(rounds)]
            direct = [_transactions(accounts, asked, count) for _ in range(rounds)]
        finally:
            accounts.close()
    return {
        "cpu_ms_alone": round(median(cpu for cpu, _ in alone), 3),
        "p50_ms_alone": round(median(wait for _, wait in alone), 3),
        "cpu_ms_32_at_once": round(median(cpu for cpu, _ in many), 3),
        "p50_ms_32_at_once": round(median(wait for _, wait in many), 3),
        "transaction_ms": round(median(direct), 3),
    }


def _key(accounts: Database) -> Key:
    """A key with four limits."""
    with accounts.writing() as connection:
        office = Office(connection, "benchmark", time.time())
        office.add_project("benchmark", "benchmark")
        secret = office.add_key(NewKey("benchmark", "benchmark"), _PEPPER)
        for limit in _LIMITS:
            office.set_limit(f"key:{prefix(secret)}", limit)
        found = find(connection, digest(secret, _PEPPER), time.time())
    assert found is not None
    return found


async def _through(
    accounts: Database, asked: Asked, clients: int, count: int
) -> tuple[float, float]:
    """CPU of a request, and the median wait for its reservation, of so many clients at once."""
    meter, waits = Meter(accounts), list[float]()

    async def client() -> None:
        for _ in range(count // clients):
            began = time.perf_counter()
            reservation = await meter.reserve(asked)
            waits.append(time.perf_counter() - began)
            meter.settle(reservation, _TOOK)

    async with meter.writing():
        before = time.process_time()
        await asyncio.gather(*(client() for _ in range(clients)))
        used = time.process_time() - before
    return 1000 * used / len(waits), 1000 * median(waits)


def _transactions(accounts: Database, asked: Asked, count: int) -> float:
    """The transaction alone, without the way to the writing thread: one in, the last one out."""
    ended: list[tuple[Reservation, Took]] = []
    began = time.perf_counter()
    for _ in range(count):
        with accounts.writing() as connection:
            settle(connection, ended)
            (verdict,) = reserve(connection, [asked], "benchmark", time.time())
        assert isinstance(verdict, Reservation)
        ended = [(verdict, _TOOK)]
    return 1000 * (time.perf_counter() - began) / count
