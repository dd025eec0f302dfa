"""What a model is asked about a place in a file, and what of its text an editor shows. Pure."""

_MOST_LINES = 12
_STEPS = 4  # in which the beginning moves on by the length of what stands before the place


def around(source: str, at: int, before: int, behind: int) -> tuple[str, str]:
    """What stands before and behind a place of a file, so many characters of it, before it a fourth
    more at most. It begins at the same place while some lines are typed, so that what the model has
    read of it is kept."""
    begin = max(0, at - before)
    return source[begin - begin % (before // _STEPS) : at], source[at : at + behind]


def is_whole(text: str, before: str, behind: str) -> bool:
    """Whether what `shaped` shows of a model's text stays the same, whatever comes after it."""
    if behind.partition("\n")[0].strip():
        return "\n" in text
    lines = text.split("\n")
    if not lines[-1].strip():  # it may become anything yet
        lines.pop()
    return len(_block("\n".join(lines), before)) < len(lines)


def shaped(text: str, before: str, behind: str) -> str:
    """Of a model's text for the gap between `before` and `behind`: one line where the cursor's line
    goes on behind it, else as long as the block that the cursor is in. Empty if nothing is left."""
    if not text.strip():
        return ""
    if behind.partition("\n")[0].strip():
        return text.partition("\n")[0].rstrip()
    return "\n".join(_block(text, before)).rstrip()


def _block(text: str, before: str) -> list[str]:
    """The first lines of a text that are in the block of the cursor's line."""
    depth = _depth(before.rpartition("\n")[2])
    kept: list[str] = []
    for number, line in enumerate(text.split("\n")[:_MOST_LINES]):
        if number and line.strip() and _depth(line) < depth:
            break
        if number > 1 and not line.strip() and not kept[-1].strip():
            break
        kept.append(line)
    return kept


def _depth(line: str) -> int:
    """How far a line is indented; one without text by what there is of it."""
    return len(line.expandtabs()) - len(line.expandtabs().lstrip())
