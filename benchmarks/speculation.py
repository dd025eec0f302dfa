"""What speculation gives: tokens a second of one stream with `speculation = "ngram"` over without.

SmolLM2-135M on all cores, greedy, one question at a time, in turns. Questions are of two kinds:
an answer that says much of its question again, as corrected texts and changed code do, and one
that does not. `accepted_share` is of the tokens that were guessed.
"""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import aiohttp

from archipel import config
from archipel.serve.engine import Address, Engine
from archipel.serve.launch import launch
from archipel.serve.setting_tables import ModelTable
from archipel.serve.weights import Weights
from benchmarks.serving.engine import weights

_CONTEXT, _TOKENS = 2048, 200
_BETWEEN = "Say good morning."  # so that no answer profits from the same one just before
_TEXT = (
    "The committee met on Tuesday to discuss the plans for the new library. Mrs Dupont said that "
    "the building would have three floors, with a reading room on the first and a children's "
    "corner on the ground floor. Mr Smith asked weather the budget were enough, and the treasurer "
    "answered that two thirds of the money had already been colected. The architect showed "
    "drawings of the roof, which will be covered with solar panels. Several members of the public "
    "had questions about the parking spaces and the noise during the works. The mayor promised "
    "that no tree in the park would be cut down."
)
_CODE = '''
def read_table(path, separator=","):
    """Read a file of rows into a list of dictionaries."""
    rows = []
    with open(path, encoding="utf-8") as file:
        names = file.readline().rstrip().split(separator)
        for line in file:
            values = line.rstrip().split(separator)
            if len(values) != len(names):
                raise ValueError("a row has another number of values")
            rows.append(dict(zip(names, values)))
    return rows
'''
_QUESTIONS = {
    "correct": f"Correct the spelling. Answer with the whole corrected text only.\n\n{_TEXT}",
    "code": f"Add type hints. Answer with the whole code only.\n\n```python{_CODE}```",
    "summary": f"Say in one paragraph what was discussed.\n\n{_TEXT}",
    "story": "Tell a long story about a sailor, a storm and a lighthouse.",
}


@dataclass(frozen=True)
class _Said:
    """An answer: tokens a second after the first, and how many were guessed, and rightly."""

    text: str
    rate: float
    guessed: int
    accepted: int


def run(quick: bool) -> dict[str, Any]:
    """Ask each question of both engines in turns; medians of the ratios."""
    turns, file = 3 if quick else 9, weights()
    with ExitStack() as stack:
        plain = stack.enter_context(_engine(file, ModelTable(path="m", context=_CONTEXT)))
        table = ModelTable(path="m", context=_CONTEXT, speculation="ngram")
        guessing = stack.enter_context(_engine(file, table))
        return {
            name: _compared([_turn(plain, guessing, question, turn) for turn in range(turns + 1)])
            for name, question in _QUESTIONS.items()
        }


@contextmanager
def _engine(file: Weights, table: ModelTable) -> Iterator[Address]:
    with asyncio.Runner() as runner:
        running = Engine("m", launch("m", table, file, config.usable_cores()))
        try:
            yield runner.run(running.address())
        finally:
            runner.run(running.stop())


def _turn(plain: Address, guessing: Address, question: str, turn: int) -> tuple[_Said, _Said]:
    """What both say; each comes first every second time."""
    if turn % 2:
        first = asyncio.run(_ask(guessing, question))
        return asyncio.run(_ask(plain, question)), first
    return asyncio.run(_ask(plain, question)), asyncio.run(_ask(guessing, question))


async def _ask(address: Address, question: str) -> _Said:
    headers = {"Authorization": f"Bearer {address.api_key}"}
    async with aiohttp.ClientSession(headers=headers) as client:
        await _answered(client, address, _BETWEEN)
        return await _answered(client, address, question)


async def _answered(client: aiohttp.ClientSession, address: Address, question: str) -> _Said:
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": question}],
        "max_tokens": _TOKENS,
        "temperature": 0,
    }
    async with client.post(f"{address.url}/v1/chat/completions", json=body) as response:
        response.raise_for_status()
        answer = await response.json()
    timings = answer["timings"]
    return _Said(
        answer["choices"][0]["message"]["content"],
        timings["predicted_per_second"],
        timings.get("draft_n", 0),
        timings.get("draft_n_accepted", 0),
    )


def _compared(turns: list[tuple[_Said, _Said]]) -> dict[str, Any]:
    """Without the first turn, in which caches are filled."""
    counted = turns[1:]
    _, last = counted[-1]
    return {
        "tokens_per_second": round(median(plain.rate for plain, _ in counted), 1),
        "ratio": round(median(guessing.rate / plain.rate for plain, guessing in counted), 2),
        "guessed_tokens": last.guessed,
        "accepted_share": round(last.accepted / max(1, last.guessed), 2),
        "same_answer": all(plain.text == guessing.text for plain, guessing in counted),
    }
