"""What the model is told: the task, then what came of its answer. Pure."""

import re
from collections.abc import Sequence

from archipel.assistant.workshop.checks import Check, Checked
from archipel.assistant.workshop.task import Task
from archipel.assistant.workshop.timing import Timing
from archipel.chat import Message

_MOST_FAILURES = 4
_DETAIL_CHARACTERS = 800
_TONGUES = {"en": "English", "fr": "French"}
_GOALS = {
    "repair": "You repair Python code. Find the fault and correct it with the smallest change.",
    "optimise": (
        "You make Python code faster. Look for a better algorithm or data structure first; the "
        "results and what is printed must stay exactly the same."
    ),
}
_RULES = """\
Keep the names and parameters. Do not write for the tests: other inputs must work too. No other \
packages than those the code imports and the standard library.
Answer in {tongue}: at most three plain sentences on what you changed and why, then the whole new \
file in one ```python block. No tests, no examples in it that were not there."""


def first_messages(task: Task, before: Checked) -> list[Message]:
    """The conversation that asks for a first version."""
    rules = _RULES.format(tongue=_TONGUES[task.tongue])
    parts = [_fenced(task.code)]
    if task.wish.strip():
        parts.append(task.wish.strip())
    if task.tests.strip():
        parts.append("The tests:\n" + _fenced(task.tests))
    if task.calls:
        calls = [
            f"{call.expression} → {call.expected}" if call.expected else call.expression
            for call in task.calls
        ]
        parts.append("It is called like this:\n" + _fenced("\n".join(calls)))
    if not before.good:
        parts.append("What happens now:\n" + _fenced(failures(before), ""))
    return [
        Message("system", f"{_GOALS[task.goal]}\n{rules}"),
        Message("user", "\n\n".join(parts)),
    ]


def without_code() -> str:
    """What to say to an answer that holds no code."""
    return "There is no ```python block in your answer. Send the whole new file in one."


def still_failing(checked: Checked) -> str:
    """What to say to a version that does not pass."""
    report = _fenced(failures(checked), "")
    return f"That version does not pass:\n{report}\nCorrect it and send the whole file again."


def otherwise(words: str) -> str:
    """What to say to a version that gives other results."""
    return (
        f"That version does not give the same:\n{_fenced(words, '')}\n"
        "Correct it and send the whole file again."
    )


def no_faster(timing: Timing) -> str:
    """What to say to a version that gains nothing."""
    return (
        f"That version is right but takes {timing.ratio:.2f} times the time of the first. "
        "Try a better algorithm and send the whole file again."
    )


def failures(checked: Checked) -> str:
    """The first failures in a few lines each."""
    if checked.trouble or checked.doubt:
        return (checked.trouble or checked.doubt)[-2 * _DETAIL_CHARACTERS :]
    failed: Sequence[Check] = [
        check for check in checked.checks if check.result not in ("passed", "skipped")
    ]
    parts = [
        f"{check.name}: {check.result}\n{check.detail[-_DETAIL_CHARACTERS:]}".strip()
        for check in failed[:_MOST_FAILURES]
    ]
    if len(failed) > _MOST_FAILURES:
        parts.append(f"and {len(failed) - _MOST_FAILURES} more")
    return "\n\n".join(parts)


def _fenced(text: str, language: str = "python") -> str:
    """`text` in a block whose fence it does not hold itself."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.strip()}\n{fence}"
