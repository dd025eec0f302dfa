"""A made file changed by a rule, and what can be said of it without another program."""

import time
from dataclasses import dataclass

from archipel.documents.blocks import Limits
from archipel.documents.editing.opened import open_editable
from archipel.documents.editing.stretches import Author
from benchmarks.office.made import FILES
from benchmarks.office.outside import differences
from benchmarks.office.rules import RULES
from benchmarks.office.strict import faults
from benchmarks.office.tracked import accepted, refused

AUTHOR = Author("Archipel", "2026-01-02T10:00:00Z")


@dataclass(frozen=True)
class Case:
    """`old` and `new` are the texts of the stretches; `after` is the file with all of them changed,
    in a Word file as tracked changes, `plain` without tracking."""

    name: str
    rule: str
    before: bytes
    after: bytes
    plain: bytes
    old: list[str]
    new: list[str]
    seconds: float

    @property
    def is_tracked(self) -> bool:
        """Whether its changes can be accepted and refused."""
        return self.name.endswith(".docx")

    def faults(self) -> list[str]:
        """What a strict program would not take."""
        return faults(self.name, self.before, self.after)

    def differences(self) -> list[str]:
        """Where something else than the stretches' text changed."""
        return differences(self.before, self.after, self.old, self.new, AUTHOR.name)

    def accepts(self) -> bool:
        """Whether the new text is what one has who accepts all."""
        return _texts(self.name, accepted(self.after, AUTHOR.name)) == self.new

    def refuses(self) -> bool:
        """Whether the old text is what one has who refuses all."""
        return _texts(self.name, refused(self.after, AUTHOR.name)) == self.old


def case(name: str, rule: str) -> Case:
    """The file of this name, changed by this rule."""
    before = FILES[name]()
    began = time.perf_counter()
    opened = open_editable(name, before, Limits())
    old = [stretch.text for stretch in opened.stretches]
    changes = RULES[rule](opened.stretches)
    after = opened.changed(changes, AUTHOR)
    seconds = time.perf_counter() - began
    plain = open_editable(name, before, Limits()).changed(changes, None)
    new = [changes[number].text for number in range(len(old))]
    return Case(name, rule, before, after, plain, old, new, seconds)


def _texts(name: str, data: bytes) -> list[str]:
    return [stretch.text for stretch in open_editable(name, data, Limits()).stretches]
