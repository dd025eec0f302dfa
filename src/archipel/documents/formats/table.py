"""Comma-separated values: a block a row, anchored by lines and cells; the head above its rows."""

import csv
import io

from archipel.documents.blocks import Anchor
from archipel.documents.collector import Collector, clean
from archipel.documents.formats.text import decode
from archipel.errors import DocumentCorrupt

_SAMPLE_CHARACTERS = 8192
_FIELD_CHARACTERS = 1 << 20


def read_csv(data: bytes, out: Collector) -> None:
    """Rows, whatever their delimiter: comma, semicolon, tab or bar.

    Raises:
        DocumentCorrupt: a field has more than a million characters: a quote is not closed.
    """
    text = clean(decode(data))
    csv.field_size_limit(_FIELD_CHARACTERS)
    rows = csv.reader(io.StringIO(text), delimiter=_delimiter(text[:_SAMPLE_CHARACTERS]))
    before = 0
    try:
        for cells in rows:
            lines = (before + 1, rows.line_num)
            before = rows.line_num
            add_row(out, cells, Anchor(lines=lines, cells=cell_range(lines[0], 1, len(cells))))
    except csv.Error as error:
        raise DocumentCorrupt(
            f"{out.name!r} is no table at line {rows.line_num} ({error}). Check its quotes there."
        ) from error


def add_row(out: Collector, cells: list[str], anchor: Anchor) -> None:
    """A row as a block; the first one with two words or more is a heading to the rest.

    Raises:
        DocumentTooLarge: there are more cells than the limits allow.
    """
    words = [cell.strip() for cell in cells if cell.strip()]
    for _ in words:
        out.count("cells", out.limits.cells)
    row = " | ".join(words)
    out.add(row, anchor)
    if len(words) > 1 and not out.has_table_head:
        out.table_head(row if not any(_is_number(word) for word in words) else "")


def cell_range(row: int, first_column: int, last_column: int) -> str:
    """As spreadsheets write it: cell_range(2, 1, 4) is "A2:D2"."""
    first, last = _letters(first_column), _letters(last_column)
    return f"{first}{row}:{last}{row}" if last_column > first_column else f"{first}{row}"


def _delimiter(sample: str) -> str:
    """The one that is found the same number of times in most lines."""
    lines = [line for line in sample.split("\n")[:20] if line.strip()][:-1] or [sample]

    def steadiness(delimiter: str) -> tuple[int, int]:
        counts = [line.count(delimiter) for line in lines]
        common = max(set(counts) - {0}, key=counts.count, default=0)
        return counts.count(common) if common else 0, common

    return max(",;\t|", key=steadiness)


def _is_number(word: str) -> bool:
    return word.replace(",", "").replace(".", "").replace(" ", "").lstrip("-").isdigit()


def _letters(column: int) -> str:
    letters = ""
    while column > 0:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters or "A"
