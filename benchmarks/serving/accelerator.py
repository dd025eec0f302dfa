"""OpenVINO beside llama.cpp on the same files: tokens read and written a second, and the CPU of it.

    python -m benchmarks.serving.accelerator FILE.gguf… [--rounds 5]

Both engines run as the service starts them, on all cores, and are asked in turns over HTTP. With a
busy machine the CPU says more than the clock. `.[openvino]` must be installed.
"""

import argparse
import asyncio
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import aiohttp

from archipel import config
from archipel.serve.engine import Engine
from archipel.serve.launch import launch
from archipel.serve.setting_tables import ModelTable
from archipel.serve.weights import Weights

_STREAMS, _READ, _SHORT, _WRITTEN = 8, 512, 32, 64
_TEXT = "Tell a long story about a sailor, a storm and a lighthouse, and how they met. "
_TICKS = os.sysconf("SC_CLK_TCK")


def session() -> aiohttp.ClientSession:
    """A connection for each request: llama.cpp's server closes those that are kept."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))


@dataclass(frozen=True)
class Rates:
    """Tokens a second; CPU in milliseconds a token."""

    read: float
    written: float
    written_8: float
    read_cpu: float
    written_cpu: float
    written_8_cpu: float


async def _started(file: Path, kind: str) -> Engine:
    """With the trial, which the file must pass."""
    table = ModelTable(path=str(file), context=1024, parallel=_STREAMS)
    weights = Weights("openvino" if kind == "openvino" else "llama.cpp", str(file))
    engine = Engine(kind, launch(file.stem, table, weights, config.usable_cores()))
    began = time.perf_counter()
    await engine.address()
    megabytes = engine.memory_bytes / 1e6
    print(f"  {engine.kind}: {time.perf_counter() - began:.1f} s to start, {megabytes:.0f} MB")
    return engine


def _cpu_seconds(engine: Engine) -> float:
    fields = Path(f"/proc/{engine.process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def stream(
    client: aiohttp.ClientSession, engine: Engine, prompt: list[int], tokens: int
) -> tuple[float, float, int]:
    """When the first piece came, and the last; how many tokens there were."""
    address = await engine.address()
    body = {"model": "", "prompt": prompt, "max_tokens": tokens, "temperature": 0, "stream": True}
    body["stream_options"] = {"include_usage": True}
    headers = {"Authorization": f"Bearer {address.api_key}"}
    times, told = [], 0
    url = f"{address.url}/v1/completions"
    async with client.post(url, json=body, headers=headers) as response:
        response.raise_for_status()
        async for line in response.content:
            if line.startswith(b"data: {"):
                piece = json.loads(line.removeprefix(b"data: "))
                if piece["choices"]:
                    times.append(time.perf_counter())
                told = (piece.get("usage") or {}).get("completion_tokens", told)
    return times[0], times[-1], told


async def _measured(engine: Engine, ids: list[int], number: int) -> Rates:
    """`number` makes the prompts new, so that nothing of them is kept."""
    async with session() as client:
        prompt = ([1000 + number, *ids] * _READ)[:_READ]
        cpu, began = _cpu_seconds(engine), time.perf_counter()
        first, _, _ = await stream(client, engine, prompt, 1)
        read_cpu = _cpu_seconds(engine) - cpu
        cpu = _cpu_seconds(engine)
        one = await stream(client, engine, [2000 + number, *ids][:_SHORT], _WRITTEN)
        one_cpu = _cpu_seconds(engine) - cpu
        cpu = _cpu_seconds(engine)
        prompts = [[3000 + 10 * number + n, *ids][:_SHORT] for n in range(_STREAMS)]
        many = await asyncio.gather(*(stream(client, engine, p, _WRITTEN) for p in prompts))
        many_cpu = _cpu_seconds(engine) - cpu
    tokens = sum(told for _, _, told in many)
    seconds = max(last for _, last, _ in many) - min(first for first, _, _ in many)
    return Rates(
        _READ / (first - began),
        (one[2] - 1) / (one[1] - one[0]),
        tokens / seconds,
        1000 * read_cpu / _READ,
        1000 * one_cpu / one[2],
        1000 * many_cpu / tokens,
    )


async def _compare(file: Path, rounds: int) -> None:
    print(file.name)
    engines = [await _started(file, kind) for kind in ("llama.cpp", "openvino")]
    found: list[list[Rates]] = [[], []]
    try:
        async with session() as client:
            address = await engines[0].address()
            headers = {"Authorization": f"Bearer {address.api_key}"}
            body = {"content": _TEXT * 4}
            async with client.post(
                f"{address.url}/tokenize", json=body, headers=headers
            ) as response:
                ids = (await response.json())["tokens"]
        for number in range(rounds):
            for engine, kept in zip(engines, found, strict=True):
                kept.append(await _measured(engine, ids, number))
    finally:
        for engine in engines:
            await engine.stop()
    for name in Rates.__dataclass_fields__:
        llama, openvino = (median(getattr(one, name) for one in kept) for kept in found)
        print(f"  {name:14} {llama:8.1f} {openvino:8.1f}  {openvino / llama:.2f}")


def main() -> None:
    """Compare on each file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for file in options.files:
        asyncio.run(_compare(file, options.rounds))


if __name__ == "__main__":
    main()
