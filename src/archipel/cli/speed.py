"""How fast a model answers here, and what it takes, in the engine that would serve it."""

from typing import TYPE_CHECKING

from archipel import config
from archipel.cli.own_engine import running_engine
from archipel.cli.provenance import machine
from archipel.errors import ModelError

if TYPE_CHECKING:
    from archipel.chat import ChatService
    from archipel.models.here import PulledModel
    from archipel.models.speeds import Speed

_ANSWER_TOKENS = 64
_ROUNDS = 2
_PARALLEL = 4  # conversations that it has room for, as when it serves
_QUESTION = "Tell me something about islands."


def measure_speed(model: "PulledModel") -> "Speed":
    """The better of two rounds, in which one short question has an answer of 64 tokens; kept.

    Raises:
        ModelError: the model can't be loaded, or answers nothing.
        ServiceError: its engine fails.
        ConfigError: what was measured can't be kept.
    """
    import asyncio

    from archipel.models.speeds import keep_speed

    speed = asyncio.run(_measured(f"{model.name}={model.path}"))
    keep_speed(model.path, speed, config.home())
    return speed


async def _measured(model: str) -> "Speed":
    from contextlib import AsyncExitStack
    from datetime import date

    from archipel.models.speeds import Speed

    async with AsyncExitStack() as stack:
        service, engine = await running_engine(stack, model, parallel=_PARALLEL)
        rates = [await _rate(service, engine.name) for _ in range(_ROUNDS)]
        today = date.today().isoformat()
        return Speed(max(rates), engine.memory_bytes, engine.kind, machine(), today)


async def _rate(service: "ChatService", name: str) -> float:
    """Tokens a second, from the question to the answer's end."""
    import time

    from archipel.chat import Message

    began, tokens = time.monotonic(), 0
    turns = [Message("user", _QUESTION)]
    # llama.cpp alone knows `ignore_eos`; others end where they end.
    options = {"max_tokens": _ANSWER_TOKENS, "temperature": 0, "ignore_eos": True}
    async for delta in service.stream_chat(turns, name, **options):
        tokens = delta.answer_tokens or tokens
    if not tokens:
        raise ModelError(f"{name} answers nothing, so its speed can't be measured")
    return tokens / (time.monotonic() - began)
