"""A suggestion as an editor shows it: what belongs where the cursor is of a model's text. Pure."""

_MOST_LINES = 12


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
