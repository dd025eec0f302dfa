"""Whether an accepted suggestion is still there: most of its words, near its place. Pure."""

import re

from lsprotocol import types

_KEPT_SHARE = 0.6  # of its characters
_LINES = 3  # around it, for what formats code or stands between now
_WORD = re.compile(r"\w+|[^\w\s]")


def is_kept(text: str, source: str, line: int) -> bool:
    """Whether most of `text` is in the lines of `source` around `line`."""
    lines = source.split("\n")
    count = text.count("\n") + 1
    near = "\n".join(lines[max(0, line - _LINES) : line + 2 * count + _LINES])
    return share(text, near) >= _KEPT_SHARE


def share(text: str, near: str) -> float:
    """Of the characters of `text`, those in words that are in `near` in the same order: the longest
    common subsequence of both texts' words, each counting as many as it has characters."""
    ours, theirs = _WORD.findall(text), _WORD.findall(near)
    if not ours:
        return 1.0
    found = [0] * (len(theirs) + 1)  # characters, by how many of `theirs` are looked at
    for word in ours:
        before = 0
        for place, other in enumerate(theirs, 1):
            with_it = before + len(word) if word == other else 0
            before = found[place]
            found[place] = max(found[place], found[place - 1], with_it)
    return found[-1] / sum(map(len, ours))


def moved(line: int, change: types.TextDocumentContentChangeEvent) -> int:
    """Where a line is after a change of its document. A whole new text tells nothing of it."""
    if not isinstance(change, types.TextDocumentContentChangePartial):
        return line
    start, end = change.range.start.line, change.range.end.line
    if start >= line:
        return line
    if end > line:
        return start
    return line + change.text.count("\n") - (end - start)
