"""A real engine with and without the service before it, and beside a busy neighbour.

llama.cpp with SmolLM2-135M, on all cores. The same engine process is asked straight and through
`archipel serve` with keys, limits and metering, in turns; tokens are those that its usage says.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import aiohttp

from archipel import config
from archipel.models.pull import pull
from archipel.serve.engine import Address, Engine
from archipel.serve.launch import launch
from archipel.serve.setting_tables import ModelTable
from archipel.serve.weights import Weights, find_weights
from benchmarks.serving.load import Door, session

_MODEL = "smollm2-135m"
_MODELS = Path("build/models")  # kept between measurements
_STREAMS = 8
_TOKENS = 128
_TURNS = 4  # of one stream in a round
_QUESTION = "Tell a long story about a sailor, a storm and a lighthouse."


def weights() -> Weights:
    """What the engine loads, pulled where it is not here yet.

    Raises:
        ModelError: it can't be had.
    """
    pulled = pull(_MODEL, home=_MODELS, progress=lambda done, total: None)
    return find_weights(pulled.path, _MODELS)


@contextmanager
def engine(loaded: Weights) -> Iterator[Address]:
    """The engine's process, for the time of the block."""
    table = ModelTable(path=_MODEL, context=1024, parallel=_STREAMS)
    with asyncio.Runner() as runner:
        running = Engine(_MODEL, launch(_MODEL, table, loaded, config.usable_cores()))
        try:
            yield runner.run(running.address())
        finally:
            runner.run(running.stop())


def against(direct: Door, door: Door, rounds: int) -> dict[str, float | int]:
    """Tokens a second through the service over the engine's own, for one stream and for eight."""
    asyncio.run(_rate(direct, _STREAMS))  # warm
    turns = {1: _TURNS * rounds, _STREAMS: rounds}  # one stream is quick, and its ratio near to 1
    found = {
        streams: [_in_turns(direct, door, streams, number) for number in range(count)]
        for streams, count in turns.items()
    }
    one, many = (median(own for own, _ in pairs) for pairs in found.values())
    return {
        "engine_tokens_per_second": round(one, 1),
        "engine_ratio_1_stream": _ratio(found[1]),
        "engine_ratio_8_streams": _ratio(found[_STREAMS]),
        "engine_8_streams_to_1": round(many / one, 2),
    }


def bare(direct: Door, rounds: int) -> dict[str, float | int]:
    """The same for one stream through a process that only copies bytes: the limit."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.serving.bare_relay",
        str(urlsplit(direct.url).port),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout
        door = replace(direct, url=f"http://127.0.0.1:{int(process.stdout.readline())}/v1")
        pairs = [_in_turns(direct, door, 1, number) for number in range(_TURNS * rounds)]
        return {"engine_ratio_bare_relay": _ratio(pairs)}
    finally:
        process.kill()
        process.wait()


def neighbour(door: Door, rounds: int) -> dict[str, float | int]:
    """What is left of a stream's speed while a program keeps one core busy."""
    pairs = []
    for _ in range(rounds):
        idle = asyncio.run(_rate(door, 1))
        with _busy_core():
            pairs.append((idle, asyncio.run(_rate(door, 1))))
    return {"busy_neighbour_share": _ratio(pairs)}


def _in_turns(direct: Door, door: Door, streams: int, number: int) -> tuple[float, float]:
    """Both rates; each comes first every second time, for a core that was busy is slower."""
    if number % 2:
        through = asyncio.run(_rate(door, streams))
        return asyncio.run(_rate(direct, streams)), through
    return asyncio.run(_rate(direct, streams)), asyncio.run(_rate(door, streams))


def _ratio(pairs: list[tuple[float, float]]) -> float:
    return round(median(second / first for first, second in pairs), 4)


async def _rate(door: Door, streams: int) -> float:
    """Tokens a second of so many streams at once."""
    async with session() as client:
        began = time.perf_counter()
        tokens = await asyncio.gather(*(_tokens(client, door, n) for n in range(streams)))
        return sum(tokens) / (time.perf_counter() - began)


async def _tokens(client: aiohttp.ClientSession, door: Door, number: int) -> int:
    """Stream one answer to its end; how many tokens it has."""
    body = {
        "model": door.model,
        "messages": [{"role": "user", "content": f"{_QUESTION} It is story {number}."}],
        "max_tokens": _TOKENS,
        "temperature": 0,
        "ignore_eos": True,  # llama.cpp's: all answers have the same length
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    headers = {"Authorization": f"Bearer {door.key}"}
    url = f"{door.url}/chat/completions"
    tokens = 0
    async with client.post(url, json=body, headers=headers) as response:
        response.raise_for_status()
        async for line in response.content:
            if b'"usage"' in line and line.startswith(b"data: {"):
                usage = json.loads(line.removeprefix(b"data: ")).get("usage") or {}
                tokens = usage.get("completion_tokens", tokens)
    return tokens


@contextmanager
def _busy_core() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def straight(address: Address) -> Door:
    """The way in without a service."""
    return replace(Door("", _MODEL), url=f"{address.url}/v1", key=address.api_key)
