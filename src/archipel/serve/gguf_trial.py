"""A GGUF file as the service would run it, measured: memory, speed, and how it holds a text."""

import asyncio
import logging
import statistics
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from archipel import config
from archipel.errors import ModelError
from archipel.evaluate.windows import Window
from archipel.serve.engine import Engine
from archipel.serve.launch import launch
from archipel.serve.llama_reference import LlamaReference
from archipel.serve.setting_tables import ModelTable
from archipel.serve.trial import Speed
from archipel.serve.weights import Weights

Messages = Sequence[Mapping[str, str]]  # of one conversation
PARALLEL = 4
_SPEED_ROUNDS = 3
_SECONDS = 600.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Figures:
    """Of one file; the memory is that of its process after all the rest."""

    bytes: int
    memory_bytes: int
    speed: Speed
    losses: list[list[float | None]]  # nats of each token that counts, window by window


@dataclass(frozen=True)
class Trial:
    """A file in an engine that runs."""

    path: Path
    context: int
    engine: Engine
    llama: LlamaReference

    async def figures(self, windows: Sequence[Window]) -> Figures:
        """All of them; each window is read on its own.

        Raises:
            ModelError: the engine fails on the way.
        """
        with self._telling():
            losses = await asyncio.to_thread(self._losses, windows)
            speed = await asyncio.to_thread(self._speed, windows)
        size = self.path.stat().st_size
        return Figures(size, self.engine.memory_bytes, speed, losses)

    async def own_texts(self, start: int, length: int, tokens: int) -> list[Window]:
        """At least `tokens` of text that the model writes by itself after the token `start`.

        Raises:
            ModelError: it writes next to nothing, or the engine fails.
        """
        with self._telling():
            return await asyncio.to_thread(self._own_texts, start, length, tokens)

    async def conversations(self, every: Sequence[Messages], tokens: int) -> list[Window]:
        """Those of the first conversations whose answers have `tokens` together; only the answers
        count.

        Raises:
            ModelError: none of them fits, or the engine fails.
        """
        with self._telling():
            return await asyncio.to_thread(self._conversations, every, tokens)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            raise ModelError(f"the engine failed on {self.path.name}: {error!r}") from error

    def _losses(self, windows: Sequence[Window]) -> list[list[float | None]]:
        def share(slot: int) -> list[list[float | None]]:
            mine = windows[slot::PARALLEL]
            return [self.llama.losses(one.ids, one.counted, slot) for one in mine]

        with ThreadPoolExecutor(PARALLEL) as threads:
            shares = list(threads.map(share, range(PARALLEL)))
        return [shares[n % PARALLEL][n // PARALLEL] for n in range(len(windows))]

    def _speed(self, windows: Sequence[Window]) -> Speed:
        tokens = [token for window in windows for token in window.ids]
        prompt = (tokens * self.context)[: self.context // 2]
        rounds = [self.llama.speed(prompt, self.context // 4) for _ in range(_SPEED_ROUNDS)]
        return Speed(
            statistics.median(one.reads for one in rounds),
            statistics.median(one.writes for one in rounds),
        )

    def _own_texts(self, start: int, length: int, tokens: int) -> list[Window]:
        texts: list[Window] = []
        for seed in range(2 * tokens // length + 8):
            text = self.llama.write(start, length - 1, seed)
            texts += [Window(text)] if len(text) > 1 else []
            if sum(len(one.ids) for one in texts) >= tokens:
                return texts
        raise ModelError(
            f"{self.path.name} writes almost nothing by itself, so there is no text to measure it "
            "on. Give one with --text FILE"
        )

    def _conversations(self, every: Sequence[Messages], tokens: int) -> list[Window]:
        found: list[Window] = []
        counted = left_out = 0
        for messages in every:
            asked = self.llama.converse(messages[:-1])
            answer = self.llama.encode(messages[-1]["content"], begins=False)
            if len(asked) + len(answer) > self.context or not answer:
                left_out += 1
                continue
            found.append(Window([*asked, *answer], len(asked)))
            counted += len(answer)
            if counted >= tokens:
                break
        if left_out:
            _log.warning(
                "%d conversations are empty or longer than %d tokens: they are not measured on",
                left_out,
                self.context,
            )
        if not found:
            raise ModelError(f"no conversation fits into {self.context} tokens: give shorter ones")
        return found


@asynccontextmanager
async def trial(path: Path, context: int) -> AsyncIterator[Trial]:
    """The file in an engine for the time of the block, with room for `PARALLEL` times `context`
    tokens.

    Raises:
        ModelError: the engine can't load it.
    """
    table = ModelTable(path=str(path), context=context, parallel=PARALLEL)
    started = launch("trial", table, Weights("llama.cpp", str(path)), config.usable_cores())
    async with Engine("trial", started) as engine:
        address = await engine.address()
        headers = {"Authorization": f"Bearer {address.api_key}"}
        with httpx.Client(
            base_url=address.url, headers=headers, timeout=_SECONDS, trust_env=False
        ) as client:
            yield Trial(path, context, engine, LlamaReference(client))
