"""What a model is asked about a place in a file, and what of its text an editor shows. Pure."""

_MOST_LINES = 12
_BEFORE, _BEHIND = 6000, 2000  # characters
_STEP = 1500  # characters, in which the beginning moves on


def around(source: str, at: int) -> tuple[str, str]:
    """What stands before and behind a place of a file, as much of it as a model is given. It begins
    at the same place while some lines are typed, so that what the model has read of it is kept."""
    begin = max(0, at - _BEFORE)
    return source[begin - begin % _STEP : at], source[at : at + _BEHIND]


def shaped(text: str, before: str, behind: str) -> str:
    """Of a model's text for the gap between `before` and `behind`: one line where the cursor's line
    goes on behind it, else as long as the block that the cursor is in. Empty if nothing is left."""
    if not text.strip():
        return ""
    if behind.partition("\n")[0].strip():
        return text.partition("\n")[0].rstrip()
    depth = _depth(before.rpartition("\n")[2])
    kept: list[str] = []
    for number, line in enumerate(text.split("\n")[:_MOST_LINES]):
        if number and line.strip() and _depth(line) < depth:
            break  # the block is over
        if number > 1 and not line.strip() and not kept[-1].strip():
            break
        kept.append(line)
    return "\n".join(kept).rstrip()


def _depth(line: str) -> int:
    """How far a line is indented; one without text by what there is of it."""
    return len(line.expandtabs()) - len(line.expandtabs().lstrip())
