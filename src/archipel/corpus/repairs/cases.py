"""Pairs that running can judge: calls whose outcomes tell the broken function from the whole one.

Everything runs in the sandbox; nothing is imported here.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from archipel.corpus.repairs.arguments import draw_calls
from archipel.corpus.repairs.functions import Function, Module
from archipel.corpus.repairs.pairs import Pair
from archipel.files import sha256_bytes
from archipel.sandbox.inside.trials import agree
from archipel.sandbox.sandbox import Program, Sandbox
from archipel.sandbox.talk import Limits

_LIMITS = Limits(wall_seconds=120, cpu_seconds=120, output_bytes=64 << 20)
_CALLS_TRIED = 120
_CALLS_KEPT, _ERRORS_KEPT = 24, 6
_FEWEST_RESULTS = 4  # calls that end without an error
_MOST_OF_ONE = 3  # cases of a function, so that no function weighs much

_Calls = dict[str, Any]  # arguments of a call, and what it did


@dataclass(frozen=True)
class Case:
    """A pair, with the arguments of calls and what they do to the whole function."""

    pair: Pair
    calls: tuple[str, ...]
    outcomes: tuple[Any, ...]

    def record(self) -> dict[str, Any]:
        """As it stands in a file; `archipel eval`'s `repair` reads it."""
        function = self.pair.function
        return self.pair.record() | {
            "calls": self.calls,
            "outcomes": self.outcomes,
            "whole": asdict(function.module),
        }


async def cases_of(pairs: Sequence[Pair], sandbox: Sandbox, seed: int) -> list[Case]:
    """The cases among pairs of one module, for calls drawn by `seed`.

    Raises:
        SandboxError: a program can't be started.
    """
    functions = list({pair.function: None for pair in pairs if pair.function.is_callable})
    if not functions:
        return []
    known = await _known_calls(functions, sandbox, seed)
    pairs = [pair for pair in pairs if pair.function in known]
    versions = [_version(one.function, one.broken, list(known[one.function])) for one in pairs]
    told = await _try(functions[0].module, versions, sandbox)
    cases: list[Case] = []
    count: dict[Function, int] = {}
    for pair, outcomes in zip(pairs, told, strict=False):
        calls = known[pair.function]
        if not agree(outcomes, list(calls.values())) and count.get(pair.function, 0) < _MOST_OF_ONE:
            cases.append(Case(pair, tuple(calls), tuple(calls.values())))
            count[pair.function] = count.get(pair.function, 0) + 1
    return cases


async def _known_calls(
    functions: Sequence[Function], sandbox: Sandbox, seed: int
) -> dict[Function, _Calls]:
    """Of each function that enough can be said of: calls that do the same in two processes."""
    versions = []
    for one in functions:
        dice = random.Random(sha256_bytes(f"{seed}\n{one.module.name}\n{one.text}".encode()))
        versions.append(_version(one, one.text, draw_calls(one.text, _CALLS_TRIED, dice)))
    first, second = [await _try(functions[0].module, versions, sandbox) for _ in range(2)]
    found = {}
    for function, version, *outcomes in zip(functions, versions, first, second, strict=False):
        if calls := _telling(version["calls"], *outcomes):
            found[function] = calls
    return found


def _telling(calls: Sequence[str], first: Sequence[Any], second: Sequence[Any]) -> _Calls:
    """Calls that say much for their number: different outcomes before more of the same, and few
    errors; nothing where there are too few."""
    same = [
        (call, one)
        for call, one, other in zip(calls, first, second, strict=False)
        if one is not None and one == other
    ]
    results = [(call, one) for call, one in same if "value" in one]
    errors = [(call, one) for call, one in same if "raised" in one]
    if len(results) < _FEWEST_RESULTS or len({json.dumps(one) for _, one in results}) < 2:
        return {}
    return dict(_various(results)[: _CALLS_KEPT - _ERRORS_KEPT] + _various(errors)[:_ERRORS_KEPT])


def _various(calls: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Those with an outcome that none before has, then the others."""
    seen: set[str] = set()
    new: list[tuple[str, Any]] = []
    old: list[tuple[str, Any]] = []
    for call, outcome in calls:
        key = json.dumps({name: outcome[name] for name in outcome if name != "given"})
        (old if key in seen else new).append((call, outcome))
        seen.add(key)
    return new + old


def _version(function: Function, text: str, calls: list[str]) -> dict[str, Any]:
    return {"function": function.name, "text": text, "calls": calls}


async def _try(module: Module, versions: list[dict[str, Any]], sandbox: Sandbox) -> list[list[Any]]:
    """What the calls of each version did; nothing where the module could not be run to the end."""
    question = json.dumps({"module": asdict(module), "versions": versions}).encode()
    command = sandbox.harness("trials")
    outcome = await sandbox.run(Program(command, question=question, limits=_LIMITS))
    if outcome.end != "exit" or outcome.status != 0:
        return []
    told: list[list[Any]] = json.loads(outcome.output)
    return told
