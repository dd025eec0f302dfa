"""Tasks whose answers are programs: HumanEval and MBPP. What is written runs in the sandbox only.

Each in two ways: a text to go on with, for models that continue, or a message, for chat models.
"""

import re
from collections.abc import Sequence
from typing import Any

from archipel.chat import Message
from archipel.errors import ConfigError
from archipel.evaluate.asking import Prompt, Written
from archipel.evaluate.data import Data, read_records
from archipel.evaluate.figures import Measure, proportion
from archipel.evaluate.tasks.task import Question, Task, field_of

PROGRAM_TOKENS = 512
FUNCTION_ENDS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
_BLOCK = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
_SHOTS = 3


def humaneval() -> Task:
    """164 functions to go on with after their head and documentation."""
    return Task("humaneval", _functions, _passed, _continued)


def humaneval_chat() -> Task:
    """The same functions, asked for in a message."""
    return Task("humaneval_chat", _asked_functions, _passed, _block_after_head)


def mbpp() -> Task:
    """500 short programs from a sentence and three assertions, after three examples."""
    return Task("mbpp", _problems, _passed, _alone)


def mbpp_chat() -> Task:
    """The same programs, asked for in a message."""
    return Task("mbpp_chat", _asked_problems, _passed, _block_alone)


def _functions(data: Data) -> list[Question]:
    return [
        Question(record["task_id"], Prompt(record["prompt"], PROGRAM_TOKENS, FUNCTION_ENDS), key)
        for record, key in _human_eval(data)
    ]


def _asked_functions(data: Data) -> list[Question]:
    return [
        Question(
            record["task_id"],
            _message(
                "Complete this Python function. Answer with the whole function in one code block."
                f"\n\n```python\n{record['prompt'].strip()}\n```"
            ),
            key,
        )
        for record, key in _human_eval(data)
    ]


def _human_eval(data: Data) -> list[tuple[dict[str, Any], dict[str, str]]]:
    """Each record, and what its answer is judged by."""
    path = data.find("HumanEval.jsonl.gz")
    found = []
    for record in read_records(path):
        names = ("task_id", "prompt", "test", "entry_point")
        _, prompt, test, name = (field_of(record, one, str, path) for one in names)
        found.append((record, {"head": prompt, "tests": f"{test}\ncheck({name})"}))
    return found


def _problems(data: Data) -> list[Question]:
    """As in the paper, but the examples are the first of the training part: the file lacks those
    that the paper sets apart for it."""
    records = _mbpp(data)
    shots = [record for record in records if record["split"] == "train"][:_SHOTS]
    shown = "".join(f"{_task_text(shot)}{shot['code'].strip()}\n[DONE]\n\n" for shot in shots)
    return [
        Question(
            record["task_id"],
            Prompt(shown + _task_text(record), PROGRAM_TOKENS, ("[DONE]",)),
            _mbpp_key(record),
        )
        for record in records
        if record["split"] == "test"
    ]


def _asked_problems(data: Data) -> list[Question]:
    return [
        Question(
            record["task_id"],
            _message(
                f"{record['text']} Answer with the code in one code block. It must pass these "
                "tests:\n\n```python\n" + "\n".join(record["test_list"]) + "\n```"
            ),
            _mbpp_key(record),
        )
        for record in _mbpp(data)
        if record["split"] == "test"
    ]


def _mbpp(data: Data) -> list[dict[str, Any]]:
    path = data.find("mbpp.jsonl.xz")
    records = list(read_records(path))
    for record in records:
        for name in ("task_id", "text", "code", "test_setup_code", "split"):
            field_of(record, name, str, path)
        field_of(record, "test_list", list, path)
    if not any(record["split"] == "test" for record in records):
        raise ConfigError(f"{path} has no record whose split is 'test'. Fetch the file again.")
    return sorted(records, key=lambda record: int(record["task_id"].rpartition("/")[2]))


def _mbpp_key(record: dict[str, Any]) -> dict[str, str]:
    return {"head": record["test_setup_code"], "tests": "\n".join(record["test_list"])}


def _task_text(record: dict[str, Any]) -> str:
    return (
        f"You are an expert Python programmer, and here is your task: {record['text']} Your code "
        "should pass these tests:\n\n" + "\n".join(record["test_list"]) + "\n[BEGIN]\n"
    )


def _message(text: str) -> Prompt:
    return Prompt((Message("user", text),), PROGRAM_TOKENS)


def _continued(question: Question, text: str) -> str:
    return f"{question.key['head']}{text}\n{question.key['tests']}\n"


def _alone(question: Question, text: str) -> str:
    return f"{question.key['head']}\n{text}\n{question.key['tests']}\n"


def _block_after_head(question: Question, text: str) -> str:
    """The head keeps its imports and helpers; its own function, without a body, is replaced."""
    return f"{question.key['head']}\n\n{block_of(text)}\n{question.key['tests']}\n"


def _block_alone(question: Question, text: str) -> str:
    return _alone(question, block_of(text))


def block_of(text: str) -> str:
    """The first block of code in an answer; the answer itself where there is none."""
    found = _BLOCK.search(text)
    return found[1] if found else text


def _passed(_: Sequence[Question], answers: Sequence[Written]) -> list[Measure]:
    return [proportion("pass_at_1", [answer.passed is True for answer in answers])]
