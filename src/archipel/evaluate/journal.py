"""Answers kept as they come: a folder for a model, a file of JSON Lines for each task.

What is written stays when the program is stopped or killed; a last line that broke off is dropped.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from archipel.errors import ConfigError
from archipel.evaluate.asking import Answer, Read, Written
from archipel.evaluate.tasks import Question
from archipel.files import read_json, sha256_bytes, write_json

_FACTS = "evaluation.json"
_MARK_LENGTH = 16


def open_results(folder: Path, model: str, identity: str) -> None:
    """Make the folder for the answers of a model, or go on with it.

    Raises:
        ConfigError: it holds those of another model, or something else.
    """
    if (folder / _FACTS).exists():
        if _facts(folder)["identity"] != identity:
            raise ConfigError(
                f"{folder} holds the answers of another model, or of {model} before it changed. "
                "Give another folder with --results, or remove this one."
            )
        return
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} holds something else. Give another folder with --results.")
    write_json(folder / _FACTS, {"model": model, "identity": identity})


def model_of(folder: Path) -> str | None:
    """The name of the model whose answers a folder holds; None if it holds none."""
    return str(_facts(folder)["model"]) if (folder / _FACTS).is_file() else None


def _facts(folder: Path) -> dict[str, Any]:
    facts = read_json(folder / _FACTS)
    if not isinstance(facts, dict) or not {"model", "identity"} <= facts.keys():
        raise ConfigError(f"{folder / _FACTS} was altered. Remove {folder} and evaluate again.")
    return facts


class Journal:
    """The answers to one task's questions; `with` opens it for more. An answer to a question that
    has changed since is not taken.

    Raises:
        ConfigError: a line was altered.
    """

    def __init__(self, folder: Path, task: str) -> None:
        self._path = folder / f"{task}.jsonl"
        self._kept: dict[tuple[str, str], Answer] = {}
        data = self._path.read_bytes() if self._path.exists() else b""
        self._whole_bytes = data.rfind(b"\n") + 1
        self._read(data[: self._whole_bytes])

    def __enter__(self) -> Self:
        self._file = self._path.open("ab")
        self._file.truncate(self._whole_bytes)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def answers(self, questions: Sequence[Question]) -> list[Answer | None]:
        """The answer to each, None to those that have none."""
        return [self._kept.get((question.id, _mark(question))) for question in questions]

    def keep(self, question: Question, answer: Answer) -> None:
        """Write an answer down; it is in the file when this returns."""
        mark = _mark(question)
        line = {"id": question.id, "asked": mark, "answer": _to_json(answer)}
        self._file.write(json.dumps(line, ensure_ascii=False).encode(errors="replace") + b"\n")
        self._file.flush()
        self._kept[question.id, mark] = answer

    def _read(self, lines: bytes) -> None:
        for number, line in enumerate(lines.splitlines(), 1):
            try:
                record = json.loads(line)
                found = _from_json(record["answer"])
                self._kept[str(record["id"]), str(record["asked"])] = found
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(
                    f"{self._path}, line {number}, is no answer ({error}): it was altered. Remove "
                    "that line; its question is asked again."
                ) from error


def _mark(question: Question) -> str:
    """Another one where other words are asked."""
    return sha256_bytes(repr(question.asked).encode(errors="surrogatepass"))[:_MARK_LENGTH]


def _to_json(answer: Answer) -> Any:
    if isinstance(answer, Written):
        return asdict(answer)
    return [[read.nats, read.greedy, read.cut] for read in answer]


def _from_json(value: Any) -> Answer:
    if isinstance(value, dict):
        return Written(**value)
    return tuple(Read(float(nats), bool(greedy), bool(cut)) for nats, greedy, cut in value)
