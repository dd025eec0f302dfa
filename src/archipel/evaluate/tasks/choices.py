"""Tasks that a model answers by how likely it finds texts: which of several, or which word.

Contexts, spaces and figures are as lm-evaluation-harness has them for the tasks of these names.
"""

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from archipel.errors import ConfigError
from archipel.evaluate.asking import Read, Span
from archipel.evaluate.data import Data, json_lines, read_archive, read_records, read_text
from archipel.evaluate.figures import Measure, Rows, mean_of_parts, proportion
from archipel.evaluate.tasks.task import Question, Task, field_of, nats_of

_HELLASWAG_LINES = 6  # a context, the number of the right ending, four endings


def blimp() -> Task:
    """67 phenomena of English grammar, 1,000 pairs each: is the right sentence the likelier one?"""
    return Task("blimp", _blimp, _pairs)


def clams(language: str) -> Task:
    """Agreement of verbs and pronouns over a distance, in `en` or `fr`, as pairs of sentences."""
    return Task(f"clams_{language}", partial(_clams, language), _pairs)


def arc_easy() -> Task:
    """Questions of science for schools, with three to five answers to choose from."""
    return Task("arc_easy", _arc_easy, _choices)


def hellaswag() -> Task:
    """What happens next? Four endings to choose from."""
    return Task("hellaswag", _hellaswag, _choices)


def lambada() -> Task:
    """The last word of a passage, which only the whole passage tells."""
    return Task("lambada", _lambada, _last_words)


def _blimp(data: Data) -> list[Question]:
    path = data.find("BLiMP.zip")
    questions = []
    for name, text in read_archive(path, ".jsonl").items():
        for number, record in enumerate(json_lines(text, f"{name} in {path}")):
            part = field_of(record, "UID", str, path)
            pair = [field_of(record, f"sentence_{kind}", str, path) for kind in ("good", "bad")]
            questions.append(_pair(f"{part}/{number}", part, *pair))
    return questions


def _clams(language: str, data: Data) -> list[Question]:
    path = data.find("clams_fr_en.tar.gz")
    questions = []
    for name, text in read_archive(path, ".txt").items():
        folder, _, file = name.rpartition("/")
        if not folder.endswith(f"{language}_evalset"):
            continue
        part = file.removesuffix(".txt")
        lines = [line.split("\t") for line in text.splitlines()]
        pairs = zip(lines[::2], lines[1::2], strict=False)
        for number, (right, wrong) in enumerate(pairs):
            if (right[0], wrong[0]) != ("True", "False"):
                raise ConfigError(f"{name} in {path}: line {2 * number + 1} begins no pair.")
            questions.append(_pair(f"{part}/{number}", part, right[-1], wrong[-1]))
    return questions


def _pair(identity: str, part: str, right: str, wrong: str) -> Question:
    return Question(identity, (Span("", f" {right}"), Span("", f" {wrong}")), part=part)


def _arc_easy(data: Data) -> list[Question]:
    path = data.find("arc_easy.jsonl.xz")
    return [
        _choice(
            str(number),
            f"{field_of(record, 'query', str, path)}\nAnswer:",
            field_of(record, "choices", list, path),
            field_of(record, "gold", int, path),
        )
        for number, record in enumerate(read_records(path))
    ]


def _hellaswag(data: Data) -> list[Question]:
    path = data.find("hellaswag_val_full.txt.bz2")
    lines = read_text(path).rstrip("\n").split("\n")
    questions = []
    for first in range(0, len(lines), _HELLASWAG_LINES):
        context, right, *endings = lines[first : first + _HELLASWAG_LINES]
        if len(endings) != _HELLASWAG_LINES - 2 or right not in ("0", "1", "2", "3"):
            raise ConfigError(f"{path}: line {first + 1} begins no question of six lines.")
        number = str(first // _HELLASWAG_LINES)
        questions.append(_choice(number, context, endings, int(right)))
    return questions


def _choice(identity: str, context: str, choices: Sequence[str], right: int) -> Question:
    spans = tuple(Span(context, f" {choice}") for choice in choices)
    return Question(identity, spans, key=right)


def _lambada(data: Data) -> list[Question]:
    path = data.find("lambada_openai.jsonl.xz")
    return [
        Question(
            str(number),
            (
                Span(
                    field_of(record, "context", str, path),
                    f" {field_of(record, 'continuation', str, path)}",
                ),
            ),
        )
        for number, record in enumerate(read_records(path))
    ]


def _pairs(questions: Sequence[Question], answers: Sequence[Sequence[Read]]) -> list[Measure]:
    hits = [right > wrong for right, wrong in map(nats_of, answers)]
    return [mean_of_parts("acc", hits, [question.part for question in questions])]


def _choices(questions: Sequence[Question], answers: Sequence[Sequence[Read]]) -> list[Measure]:
    """With the likeliest choice, and with the likeliest for its length in characters."""
    plain, by_length = [], []
    for question, answer in zip(questions, answers, strict=True):
        nats = np.array(nats_of(answer))
        lengths = [len(span.continuation) - 1 for span in _spans(question)]
        plain.append(bool(nats.argmax() == question.key))
        by_length.append(bool((nats / lengths).argmax() == question.key))
    return [proportion("acc", plain), proportion("acc_norm", by_length)]


def _spans(question: Question) -> tuple[Span, ...]:
    assert isinstance(question.asked, tuple)
    return question.asked


def _last_words(_: Sequence[Question], answers: Sequence[Sequence[Read]]) -> list[Measure]:
    hits = [read.greedy for (read,) in answers]
    nats = np.array([[read.nats, 1] for (read,) in answers], np.float64)
    return [
        proportion("acc", hits),
        Measure("perplexity", nats, _perplexity, higher_is_better=False),
    ]


def _perplexity(sums: Rows) -> float:
    return math.exp(-sums[0] / sums[1])
