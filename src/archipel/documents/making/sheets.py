"""An Excel file of the tables and charts in a text: a sheet each, numbers as numbers."""

import io
import re
from collections.abc import Iterable, Iterator, Sequence

from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import Cell
from openpyxl.chart import BarChart, LineChart, PieChart, Reference
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from archipel.documents.language import guess_language
from archipel.documents.making.parts import Chart, Code, Heading, Part, Table, plain
from archipel.errors import ConfigError

_ENGLISH = re.compile(r"[-+\u2212]?(?:\d{1,3}(?:[, \u00a0\u202f]\d{3})+|\d+)(?:\.\d+)?")
_FRENCH = re.compile(r"[-+\u2212]?(?:\d{1,3}(?:[. \u00a0\u202f]\d{3})+|\d+)(?:,\d+)?")
_FORBIDDEN = re.compile(r"[\[\]:*?/\\']")
_NAME, _WIDEST = 31, 60  # characters of a sheet's name; of a column


def make_xlsx(parts: Sequence[Part], title: str, template: bytes | None = None) -> bytes:
    """An xlsx file; with a template its sheets stay, and the new ones come behind them.

    Raises:
        ConfigError: there is neither a table nor a chart in the text.
    """
    book = load_workbook(io.BytesIO(template)) if template else Workbook()
    if not template:
        book.remove(book.worksheets[0])
    french = guess_language("\n".join(_said(parts))) == "fr"
    under = title
    count = 0
    for part in parts:
        if isinstance(part, Heading):
            under = plain(part.spans)
        elif isinstance(part, Table):
            rows = _values(part, french=french)
            _fill(book.create_sheet(_named(under, book.sheetnames)), rows)
            count += 1
        elif isinstance(part, Chart):
            _add_chart(book.create_sheet(_named(part.title or under, book.sheetnames)), part)
            count += 1
    if not count:
        raise ConfigError("a workbook is made of tables and charts, and the text has none.")
    book.properties.title = title
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _said(parts: Sequence[Part]) -> Iterator[str]:
    """The words of all but code and charts."""
    for part in parts:
        if isinstance(part, Table):
            yield from (plain(cell) for row in part.rows for cell in row)
        elif not isinstance(part, Chart | Code):
            yield plain(part.spans)


def _values(table: Table, *, french: bool) -> list[list[str | float]]:
    """Its cells, numbers as such; the head is words."""
    head, *rows = ([plain(cell) for cell in row] for row in table.rows)
    found: list[list[str | float]] = [[*head]]
    for row in rows:
        numbers = [_number_in(cell, french=french) for cell in row]
        found.append([cell if n is None else n for cell, n in zip(row, numbers, strict=True)])
    return found


def _fill(sheet: Worksheet, rows: Sequence[Sequence[str | float]]) -> None:
    """A head, and rows that can be sorted and filtered."""
    for number, row in enumerate(rows, 1):
        for column, value in enumerate(row, 1):
            _put(sheet.cell(number, column), value, is_head=number == 1)
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions
    for column, cells in enumerate(zip(*rows, strict=False), 1):
        widest = max(len(str(cell)) for cell in cells)
        sheet.column_dimensions[get_column_letter(column)].width = min(widest, _WIDEST) + 4


def _put(cell: Cell, value: str | float, *, is_head: bool) -> None:
    cell.value = value
    if isinstance(value, str):
        cell.data_type = "s"  # never a formula, whatever it begins with
    if is_head:
        cell.font = Font(bold=True)


def _number_in(text: str, *, french: bool) -> float | int | None:
    """The number that a cell is, in the language's way; None for other text and codes as 007."""
    text = text.strip().replace("\u2212", "-")
    if not (_FRENCH if french else _ENGLISH).fullmatch(text) or re.match(r"[-+]?0\d", text):
        return None
    thousands, point = (".", ",") if french else (",", ".")
    digits = re.sub(r"[ \u00a0\u202f]", "", text).replace(thousands, "").replace(point, ".")
    return float(digits) if "." in digits else int(digits)


def _add_chart(sheet: Worksheet, chart: Chart) -> None:
    """Its numbers, and beside them the chart."""
    head = ["", *(name for name, _ in chart.series)]
    values = zip(*(values for _, values in chart.series), strict=True)
    _fill(sheet, [head, *([name, *row] for name, row in zip(chart.names, values, strict=True))])
    made = {"line": LineChart, "pie": PieChart}.get(chart.kind, BarChart)()
    if isinstance(made, BarChart):
        made.type = "bar" if chart.kind == "bar" else "col"
    made.title = chart.title or None
    last = len(chart.names) + 1
    numbers = Reference(sheet, min_col=2, max_col=len(head), min_row=1, max_row=last)
    made.add_data(numbers, titles_from_data=True)
    made.set_categories(Reference(sheet, min_col=1, min_row=2, max_row=last))
    sheet.add_chart(made, f"{get_column_letter(len(head) + 2)}2")


def _named(title: str, taken: Iterable[str]) -> str:
    """A name that a sheet may have, and none has."""
    name = _FORBIDDEN.sub(" ", title).strip()[:_NAME] or "Table"
    lower, number = {one.lower() for one in taken}, 2
    found = name
    while found.lower() in lower:
        found = f"{name[: _NAME - 4]} {number}"
        number += 1
    return found
