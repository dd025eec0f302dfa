"""Stories told and gone on with: does the last sentence end, do they repeat themselves?"""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from archipel.chat import Message
from archipel.errors import ConfigError
from archipel.evaluate.asking import Prompt, Written
from archipel.evaluate.data import Data, read_records
from archipel.evaluate.figures import Measure, mean, proportion
from archipel.evaluate.tasks.task import Question, Task, field_of

_MOST_TOKENS = 320
_WORDS_TOGETHER = 4
_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\s]*\Z")


def tell(path: str | None) -> Task:
    """Conversations out of a file of `messages`, each asked up to its last answer.

    Raises:
        ConfigError: no path is given.
    """
    if path is None:
        raise ConfigError(
            "tell needs conversations: write tell:PATH, where PATH is a file of them, as "
            "`archipel corpus stories` makes some of stories"
        )
    return Task("tell", partial(_questions, path), _measures)


def _questions(given: str, data: Data) -> list[Question]:
    path = data.given(given)
    asked = [field_of(record, "messages", list, path)[:-1] for record in read_records(path)]
    if not asked or not all(asked):
        raise ConfigError(f"{path} has no conversations, or one without a question. Give another")
    return [
        Question(str(number), Prompt(tuple(_message(one, path) for one in some), _MOST_TOKENS))
        for number, some in enumerate(asked)
    ]


def _message(one: object, path: object) -> Message:
    match one:
        case {"role": "system" | "user" | "assistant" as role, "content": str(content)}:
            return Message(role, content)
    raise ConfigError(f"{path}: {one!r:.60} is no message with a role and a content. Mend it")


def _measures(_: Sequence[Question], answers: Sequence[Written]) -> list[Measure]:
    ends = [bool(_SENTENCE_END.search(answer.text)) for answer in answers]
    repeated = mean("repeated_share", [repeated_share(answer.text) for answer in answers])
    return [proportion("ends_share", ends), replace(repeated, higher_is_better=False)]


def repeated_share(text: str) -> float:
    """The share of a text's runs of four words that it has had before: seq-rep-4 of Welleck et al.
    2020. Pure."""
    words = text.casefold().split()
    runs = list(zip(*(words[first:] for first in range(_WORDS_TOGETHER)), strict=False))
    return 1 - len(set(runs)) / len(runs) if runs else 0.0
