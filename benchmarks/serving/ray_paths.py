"""How long each way to an engine under Ray Serve holds a stream's pieces up.

A stand-in engine sends pieces that carry the time at which they were sent; the reader says how old
each is when it comes. Ways: straight to the engine; through Serve's HTTP proxy; through a
deployment's handle. `python -m benchmarks.serving.ray_paths` needs `archipel[ray]`.
"""

import asyncio
import json
import multiprocessing
import statistics
import time
from collections.abc import AsyncIterator, Callable
from multiprocessing.connection import Connection
from typing import Any

import aiohttp
import ray
from aiohttp import web
from ray import serve
from starlette.requests import Request
from starlette.responses import StreamingResponse

_PIECES = 40
_GAP_SECONDS = 0.02
_QUESTIONS = 60
_PROXY_PORT = 18765

Read = Callable[[], AsyncIterator[bytes]]


def _engine(ready: Connection) -> None:
    """A server whose answer is one piece at once and others every 20 ms."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(_PIECES):
            await response.write(f"{time.time():.6f}\n".encode())
            await asyncio.sleep(_GAP_SECONDS)
        return response

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        ready.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


class Relay:
    """An engine's replica as Serve's data path wants it: each piece goes through its process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        self._session = self._session or aiohttp.ClientSession()
        async with self._session.post(self._url) as response:
            async for piece in response.content.iter_any():
                yield piece

    async def __call__(self, request: Request) -> StreamingResponse:
        return StreamingResponse(self.pieces())


async def _question(read: Read) -> tuple[float, list[float]]:
    """Milliseconds to the first piece, and the age of each of the others."""
    asked = time.time()
    first, ages = 0.0, []
    async for data in read():
        now = time.time()
        ages += [(now - float(sent)) * 1000 for sent in data.split()]
        first = first or (now - asked) * 1000
    assert len(ages) == _PIECES
    return first, ages[1:]


async def _measure(read: Read, at_once: int) -> dict[str, float]:
    room = asyncio.Semaphore(at_once)

    async def one() -> tuple[float, list[float]]:
        async with room:
            return await _question(read)

    found = await asyncio.gather(*(one() for _ in range(max(_QUESTIONS, 4 * at_once))))
    firsts = [first for first, _ in found]
    ages = [age for _, ages in found for age in ages]
    return {
        "first_p50": _percentile(firsts, 50),
        "first_p99": _percentile(firsts, 99),
        "held_p50": _percentile(ages, 50),
        "held_p99": _percentile(ages, 99),
    }


def _percentile(values: list[float], share: int) -> float:
    return round(statistics.quantiles(values, n=100)[share - 1], 2)


async def _all(engine: str, handle: Any) -> dict[str, dict[str, float]]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        def over_http(url: str) -> Read:
            async def read() -> AsyncIterator[bytes]:
                async with session.post(url) as response:
                    async for piece in response.content.iter_any():
                        yield piece

            return read

        async def by_handle() -> AsyncIterator[bytes]:
            async for piece in handle.options(stream=True).pieces.remote():
                yield piece

        ways = {
            "engine": over_http(engine),
            "proxy": over_http(f"http://127.0.0.1:{_PROXY_PORT}/"),
            "handle": by_handle,
        }
        found = {}
        for at_once in (1, 16):
            for name, read in ways.items():
                await _question(read)
                began = time.process_time()
                found[f"{name} x{at_once}"] = await _measure(read, at_once)
                questions = max(_QUESTIONS, 4 * at_once)
                cpu = (time.process_time() - began) / questions * 1000
                found[f"{name} x{at_once}"]["asker_cpu_ms"] = round(cpu, 2)
        return found


def main() -> None:
    """Print the milliseconds of each way, one stream at a time and sixteen."""
    ours, theirs = multiprocessing.Pipe()
    engine = multiprocessing.get_context("spawn").Process(target=_engine, args=(theirs,))
    engine.start()
    try:
        url = f"http://127.0.0.1:{ours.recv()}/"
        ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
        serve.start(http_options={"host": "127.0.0.1", "port": _PROXY_PORT})
        relay: Any = serve.deployment(Relay, max_ongoing_requests=100)
        handle = serve.run(relay.bind(url), route_prefix="/")
        for name, figures in asyncio.run(_all(url, handle)).items():
            print(name, json.dumps(figures))
    finally:
        engine.kill()
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    main()
