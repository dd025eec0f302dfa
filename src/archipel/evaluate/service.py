"""A model behind an OpenAI-compatible API under measurement. Knows nothing about who answers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from archipel.chat import ChatService, ServiceError
from archipel.errors import ModelError
from archipel.evaluate.asking import Prompt, Read, Span, Written, until

_MOST_STOPS = 4  # that OpenAI's API takes; further ones are found when the answer is here
_TOO_LONG = ("context_length_exceeded", "exceed_context_size_error")
_AGAIN = ("rate_limit_exceeded", "cut_off")
_WAITS_SECONDS = (2.0, 10.0, 30.0)
_START = "\n"  # before a text: an API can't be given the mark that begins one

T = TypeVar("T")


class Service:
    """A model of a service, asked by `workers` at a time."""

    reads_together = 1
    writes_together = 1

    def __init__(self, service: ChatService, model: str, *, identity: str, workers: int) -> None:
        self.name = model
        self.identity = identity
        self.workers = workers
        self._service = service

    async def read(self, spans: Sequence[Span]) -> list[Read]:
        """How likely each continuation is: the prompt comes back with its log-probabilities.

        Raises:
            ModelError: the service doesn't give them.
            ServiceError: it does not answer.
        """
        return [await self._read(span) for span in spans]

    async def write(self, prompts: Sequence[Prompt]) -> list[Written]:
        """What the model writes after each prompt.

        Raises:
            ServiceError: the service does not answer, or refuses.
        """
        return [await _persistently(partial(self._written, prompt)) for prompt in prompts]

    async def _read(self, span: Span) -> Read:
        context = span.context or _START
        prompt = context + span.continuation

        async def ask() -> dict[str, Any]:
            options = {"max_tokens": 1, "temperature": 0, "echo": True, "logprobs": 1}
            return await self._service.complete(self.name, prompt, **options)

        try:
            choice = await _persistently(ask)
            return _likelihood(choice["logprobs"], len(context), len(prompt))
        except ServiceError as error:
            if error.code in ("unreachable", *_AGAIN, *_TOO_LONG):
                raise
            raise self._can_not_read(str(error)) from error
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise self._can_not_read("its answer has no log-probabilities of the prompt") from error

    def _can_not_read(self, reason: str) -> ModelError:
        return ModelError(
            f"{self.name} can't be asked how likely a text is ({reason}), and some of the tasks "
            "need that. Evaluate a checkpoint's folder, or an API whose /v1/completions takes "
            "echo with logprobs (vLLM does); or choose tasks that write"
        )

    async def _written(self, prompt: Prompt) -> Written:
        how: dict[str, Any] = {"max_tokens": prompt.most_tokens, "temperature": 0}
        if prompt.stops:
            how["stop"] = list(prompt.stops[:_MOST_STOPS])
        try:
            if isinstance(prompt.asked, str):
                choice = await self._service.complete(self.name, prompt.asked, **how)
                text = str(choice.get("text", ""))
            else:
                deltas = self._service.stream_chat(prompt.asked, self.name, **how)
                text = "".join([delta.text async for delta in deltas])
        except ServiceError as error:
            if error.code in _TOO_LONG:
                return Written("", too_long=True)
            raise
        return Written(until(text, prompt.stops))


async def _persistently(ask: Callable[[], Awaitable[T]]) -> T:
    """`ask`, again after a while if the service is busy or its answer broke off."""
    for seconds in _WAITS_SECONDS:
        try:
            return await ask()
        except ServiceError as error:
            if error.code not in _AGAIN:
                raise
        await asyncio.sleep(seconds)
    return await ask()


def _likelihood(logprobs: dict[str, Any], start: int, end: int) -> Read:
    """Of the prompt's characters from `start` to `end`. What was generated stands behind them, and
    shows where the prompt's tokens end, a mark before them counted or not."""
    offsets = [int(one) for one in logprobs["text_offset"]]
    shift = offsets[-1] - end
    nats, greedy = 0.0, True
    for place, offset in enumerate(offsets[:-1]):
        if offset - shift >= start:
            logprob = float(logprobs["token_logprobs"][place])
            likeliest = logprobs["top_logprobs"][place]
            nats += logprob
            greedy &= logprob >= max(likeliest.values())
    return Read(nats, greedy)
