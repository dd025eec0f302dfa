"""The difference between two versions of code, as text and as lines for a page. Pure."""

import difflib
import re
from dataclasses import dataclass
from typing import Literal

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


@dataclass(frozen=True)
class DiffLine:
    """A line with its number in the old and in the new version, where it stands in them; a `gap`
    stands for lines left out."""

    kind: Literal["same", "added", "removed", "gap"]
    text: str
    old: int | None = None
    new: int | None = None


def diff_text(old: str, new: str, name: str) -> str:
    """A unified diff that `patch` takes; "" if nothing differs."""
    lines = []
    for line in difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{name}", f"b/{name}"
    ):
        lines.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(lines)


def diff_lines(old: str, new: str) -> tuple[DiffLine, ...]:
    """The same, line by line."""
    lines: list[DiffLine] = []
    at_old = at_new = 1
    changes = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="")
    for line in list(changes)[2:]:  # after the names of the files
        if hunk := _HUNK.match(line):
            if int(hunk[1]) > at_old or lines:
                lines.append(DiffLine("gap", ""))
            at_old, at_new = int(hunk[1]), int(hunk[2])
            continue
        sign, text = line[0], line[1:]
        if sign == "-":
            lines.append(DiffLine("removed", text, old=at_old))
        elif sign == "+":
            lines.append(DiffLine("added", text, new=at_new))
        else:
            lines.append(DiffLine("same", text, at_old, at_new))
        at_old += sign != "+"
        at_new += sign != "-"
    return tuple(lines)
