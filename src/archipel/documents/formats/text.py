"""Plain text and source code: blocks between blank lines, anchored by their lines.

Knows nothing about languages, natural or not.
"""

from archipel.documents.blocks import Anchor
from archipel.documents.collector import Collector, clean

_CODE_LINES = 40


def decode(data: bytes) -> str:
    """Text by its mark, as UTF-8, or else as Windows' Western European, which fits any bytes."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16")):
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if data.startswith(b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def read_text(data: bytes, out: Collector) -> None:
    """Paragraphs: lines between blank lines, as one line of text each."""
    for first, lines in _groups(decode(data)):
        out.add("\n".join(lines), Anchor(lines=(first, first + len(lines) - 1)))


def read_code(data: bytes, out: Collector) -> None:
    """Pieces of code as they stand, cut at blank lines, and at 40 lines at the latest."""
    for first, lines in _groups(decode(data)):
        for start in range(0, len(lines), _CODE_LINES):
            piece = lines[start : start + _CODE_LINES]
            anchor = Anchor(lines=(first + start, first + start + len(piece) - 1))
            out.add("\n".join(piece), anchor, keep_lines=True)


def _groups(text: str) -> list[tuple[int, list[str]]]:
    """Runs of lines that are not blank, each with the number of its first line."""
    groups: list[tuple[int, list[str]]] = []
    open_group = False
    for number, line in enumerate(clean(text).split("\n"), 1):
        if not line.strip():
            open_group = False
        elif open_group:
            groups[-1][1].append(line)
        else:
            groups.append((number, [line]))
            open_group = True
    return groups
