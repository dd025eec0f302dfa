"""Requests in numbers, timed: one after the other, many at once, or so many started a second."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import aiohttp


@dataclass(frozen=True)
class Door:
    """Where requests go in: a service's URL (…/v1), the model and the key."""

    url: str
    model: str
    key: str = "none"

    def body(self, *, stream: bool) -> bytes:
        """A short question."""
        messages = [{"role": "user", "content": "How many?"}]
        asked = {"model": self.model, "messages": messages, "max_tokens": 100, "stream": stream}
        return json.dumps(asked).encode()


@dataclass(frozen=True)
class Timed:
    """Seconds from sending to the first token (or the whole answer) and to the end."""

    first: float
    end: float


async def one(client: aiohttp.ClientSession, door: Door, *, stream: bool) -> Timed:
    """Ask once.

    Raises:
        aiohttp.ClientError: no answer with 200, or not a whole one.
    """
    begun = time.perf_counter()
    first = 0.0
    headers = {"Authorization": f"Bearer {door.key}", "Content-Type": "application/json"}
    url = f"{door.url}/chat/completions"
    async with client.post(url, data=door.body(stream=stream), headers=headers) as response:
        response.raise_for_status()
        last = b""
        async for piece in response.content.iter_any():
            if not first and b"word" in piece:
                first = time.perf_counter() - begun
            last = (last + piece)[-64:]
    if stream and b"[DONE]" not in last:
        raise aiohttp.ClientPayloadError(f"the stream ended with {last!r}")
    return Timed(first, time.perf_counter() - begun)


async def in_turn(door: Door, count: int, *, stream: bool) -> list[Timed]:
    """One after the other."""
    async with session() as client:
        return [await one(client, door, stream=stream) for _ in range(count)]


async def at_once(door: Door, clients: int, seconds: float, *, stream: bool) -> float:
    """So many clients, each asking again as soon as it has its answer: answers a second."""
    done = 0

    async def ask(client: aiohttp.ClientSession, until: float) -> None:
        nonlocal done
        while time.perf_counter() < until:
            await one(client, door, stream=stream)
            done += 1

    async with session() as client:
        begun = time.perf_counter()
        await asyncio.gather(*(ask(client, begun + seconds) for _ in range(clients)))
        return done / (time.perf_counter() - begun)


async def counted(door: Door, clients: int, count: int) -> None:
    """So many requests in all, by so many clients."""
    numbers = iter(range(count))

    async def ask(client: aiohttp.ClientSession) -> None:
        for _ in numbers:
            await one(client, door, stream=False)

    async with session() as client:
        await asyncio.gather(*(ask(client) for _ in range(clients)))


async def together(door: Door, count: int) -> list[Timed | BaseException]:
    """What became of requests that all begin at once."""
    async with session() as client:
        asking = [one(client, door, stream=False) for _ in range(count)]
        return await asyncio.gather(*asking, return_exceptions=True)


async def started(door: Door, a_second: float, seconds: float) -> list[Timed | BaseException]:
    """What became of streams begun at a fixed rate, whether or not earlier ones have ended."""
    async with session() as client:
        begun = time.perf_counter()
        tasks = []
        for at in _times(a_second, seconds):
            await asyncio.sleep(begun + at - time.perf_counter())
            tasks.append(asyncio.create_task(one(client, door, stream=True)))
        return await asyncio.gather(*tasks, return_exceptions=True)


def _times(a_second: float, seconds: float) -> Iterator[float]:
    return (number / a_second for number in range(int(a_second * seconds)))


def session() -> aiohttp.ClientSession:
    """As many connections as are asked for."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=60)
    )
