"""From Python files to pairs to learn from, pairs held out, and cases that running can judge.

A module is held out as a whole, by the hash of its name: none of its functions is learnt from.
"""

import json
import lzma
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from archipel.corpus.repairs.cases import Case, cases_of
from archipel.corpus.repairs.functions import (
    Function,
    Module,
    Unparsed,
    find_modules,
    functions_of,
    read_module,
)
from archipel.corpus.repairs.pairs import Pair, pairs_of
from archipel.errors import ConfigError
from archipel.files import atomic_writer, sha256_bytes, write_json
from archipel.sandbox.sandbox import Sandbox

TRAIN = "repair_train.jsonl.xz"
HELD_OUT = "repair_held_out.jsonl.xz"
CASES = "repair_cases.jsonl.xz"
DOCUMENTS = "repair_documents.jsonl.xz"
FACTS = "repairs.json"

_PRESET = 1  # pairs of one function stand together, which is what a quick search finds

Show = Callable[[str, int, int], None]


@dataclass(frozen=True)
class RepairOptions:
    """What decides, with the inputs, every pair. `held_out` is a fraction of the modules."""

    per_function: int = 8
    held_out: float = 0.1
    seed: int = 0
    most_lines: int = 30
    most_characters: int = 1200

    def __post_init__(self) -> None:
        if not 0 <= self.held_out < 1:
            raise ConfigError(f"held-out {self.held_out} is not a fraction: from 0 to below 1.")


@dataclass
class Side:
    """The modules, functions and pairs of one side of the split."""

    modules: list[Module] = field(default_factory=list)
    functions: int = 0
    pairs: list[Pair] = field(default_factory=list)

    def facts(self) -> Mapping[str, Any]:
        """How many there are."""
        kinds = Counter(pair.kind for pair in self.pairs)
        counts = {"modules": len(self.modules), "functions": self.functions}
        return counts | {"pairs": len(self.pairs), "kinds": dict(sorted(kinds.items()))}


@dataclass
class Repairs:
    """All that was made; `unparsed` has the files that are no Python, each with why not."""

    train: Side = field(default_factory=Side)
    held_out: Side = field(default_factory=Side)
    unparsed: dict[str, str] = field(default_factory=dict)
    duplicates: int = 0


def make_repairs(inputs: Sequence[Path], options: RepairOptions, show: Show) -> Repairs:
    """Break the functions of Python files and of folders of them; `show` hears (what, how many
    files are read, of how many).

    Raises:
        ConfigError: an input can't be read, or there is no function to break in any.
    """
    made = Repairs()
    seen: set[str] = set()
    files = [(_fraction(one[1]) < options.held_out, *one) for one in find_modules(inputs)]
    files.sort(key=lambda one: one[0])  # what stands on both sides is learnt, and not held out
    for number, (is_held_out, path, name) in enumerate(files, 1):
        try:
            module = read_module(path, name)
            functions = functions_of(module, options.most_lines, options.most_characters)
        except Unparsed as reason:
            made.unparsed[str(path)] = str(reason)
        else:
            side = made.held_out if is_held_out else made.train
            side.modules.append(module)
            _add(side, made, functions, options, seen)
        show("functions", number, len(files))
    if not made.train.pairs and not made.held_out.pairs:
        raise ConfigError(
            f"no function of at most {options.most_lines} lines and {options.most_characters:,} "
            f"characters in {len(files):,} files ({len(made.unparsed):,} of them no Python). Name "
            "other files."
        )
    return made


def _add(
    side: Side, made: Repairs, functions: Iterable[Function], options: RepairOptions, seen: set[str]
) -> None:
    """Each function once: what is learnt on one side is not to be met on the other."""
    for function in functions:
        key = sha256_bytes("".join(function.text.split()).encode())
        if key in seen:
            made.duplicates += 1
            continue
        seen.add(key)
        if pairs := pairs_of(function, options.per_function, options.seed):
            side.functions += 1
            side.pairs += pairs


def _fraction(name: str) -> float:
    """A module's place between 0 and 1, wherever it is found."""
    return int(sha256_bytes(name.encode())[:8], 16) / 2**32


async def judged_cases(pairs: Sequence[Pair], seed: int, show: Show) -> list[Case]:
    """The cases among pairs; `show` hears (what, how many modules are tried, of how many).

    Raises:
        SandboxError: nothing can be run apart on this machine.
    """
    sandbox = await Sandbox.open()
    by_module: dict[Module, list[Pair]] = {}
    for pair in pairs:
        by_module.setdefault(pair.function.module, []).append(pair)
    found = []
    for number, some in enumerate(by_module.values(), 1):
        found += await cases_of(some, sandbox, seed)
        show("cases", number, len(by_module))
    return found


def write_repairs(
    folder: Path, made: Repairs, cases: Sequence[Case], options: RepairOptions
) -> Mapping[str, Any]:
    """Write all of it; the facts, which are returned, last.

    Raises:
        ConfigError: the folder can't be written.
    """
    documents = [{"text": module.text, "name": module.name} for module in made.train.modules]
    _write(folder / TRAIN, (pair.record() for pair in made.train.pairs))
    _write(folder / HELD_OUT, (pair.record() for pair in made.held_out.pairs))
    _write(folder / CASES, (case.record() for case in cases))
    _write(folder / DOCUMENTS, documents)
    judged = {"cases": len(cases), "functions": len({case.pair.function for case in cases})}
    facts = {
        "options": asdict(options),
        "train": made.train.facts(),
        "held_out": made.held_out.facts(),
        "judged": judged | {"kinds": dict(Counter(case.pair.kind for case in cases))},
        "duplicates": made.duplicates,
        "unparsed": made.unparsed,
    }
    write_json(folder / FACTS, facts)
    return facts


def _write(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    with ExitStack() as stack:
        raw = stack.enter_context(atomic_writer(path))
        file = stack.enter_context(lzma.LZMAFile(raw, "wb", preset=_PRESET))
        for record in records:
            file.write(json.dumps(record).encode() + b"\n")
