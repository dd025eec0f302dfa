"""What a check of code gives: tests and calls, each with how it went."""

from dataclasses import dataclass
from typing import Literal

from archipel.sandbox.sandbox import Outcome

OVER_TIME = "it ran over its time"

Result = Literal["passed", "failed", "skipped", "timed out", "ended the program", "not run"]


@dataclass(frozen=True)
class Check:
    """One test or call and how it went."""

    name: str
    result: Result
    detail: str = ""


@dataclass(frozen=True)
class Checked:
    """How all went. `trouble`: why the code or the tests could not be loaded; `doubt`: why what
    passed is not believed."""

    checks: tuple[Check, ...] = ()
    trouble: str = ""
    doubt: str = ""

    @property
    def passed(self) -> int:
        """How many passed."""
        return sum(check.result == "passed" for check in self.checks)

    @property
    def counted(self) -> int:
        """How many there are, without those that were skipped."""
        return sum(check.result != "skipped" for check in self.checks)

    @property
    def good(self) -> bool:
        """Whether all passed, and may be believed."""
        return not (self.trouble or self.doubt) and self.passed == self.counted


def why_ended(outcome: Outcome) -> str:
    """The end of a program that told nothing, in words."""
    words = {
        "time": OVER_TIME,
        "silence": OVER_TIME,
        "output": "it wrote more than is taken",
        "memory": "it took more memory than is given",
        "processes": "it started too many processes",
    }
    if outcome.end in words:
        return words[outcome.end]
    said = last_line(outcome.errors.decode(errors="replace"))
    return f"the program ended (status {outcome.status}){': ' + said if said else ''}"


def last_line(text: str) -> str:
    """The last line of `text` that says something."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else ""
