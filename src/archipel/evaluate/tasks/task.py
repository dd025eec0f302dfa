"""What a task is: its questions, and the figures that their answers come to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from archipel.errors import ConfigError
from archipel.evaluate.asking import Answer, Asked, Read, Written
from archipel.evaluate.data import Data
from archipel.evaluate.figures import Measure


@dataclass(frozen=True)
class Question:
    """`key` is what its answer is judged by; `part` is the piece of the task that it belongs to."""

    id: str
    asked: Asked
    key: Any = None
    part: str = ""


@dataclass(frozen=True)
class Task:
    """`measures` judges the answers to questions, one each. `program` is the Python program that
    shows, by running to its end, that a written answer is right."""

    name: str
    questions: Callable[[Data], list[Question]]
    measures: Callable[[Sequence[Question], Sequence[Any]], list[Measure]]
    program: Callable[[Question, str], str] | None = None


def nats_of(answer: Sequence[Read]) -> list[float]:
    """The log-probability of each span of a question."""
    return [read.nats for read in answer]


def cut(answers: Sequence[Answer]) -> int:
    """How many questions were longer than the model takes."""
    return sum(
        answer.too_long if isinstance(answer, Written) else any(read.cut for read in answer)
        for answer in answers
    )


def field_of(record: dict[str, Any], name: str, kind: type, where: object) -> Any:
    """A field of a record.

    Raises:
        ConfigError: it is missing or of another kind.
    """
    value = record.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ConfigError(
            f"{where}: the field {name!r} is {value!r:.60}, and should be of the kind "
            f"{kind.__name__}. Fetch the file again."
        )
    return value
