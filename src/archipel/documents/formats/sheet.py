"""Excel files: a block a row, anchored by sheet and cells, with the values that Excel computed."""

import datetime
from io import BytesIO

from openpyxl import load_workbook
from openpyxl.worksheet._read_only import ReadOnlyWorksheet

from archipel.documents.blocks import Anchor
from archipel.documents.collector import Collector
from archipel.documents.formats.package import check_package
from archipel.documents.formats.table import add_row, cell_range


def read_xlsx(data: bytes, out: Collector) -> None:
    """Sheet after sheet; a sheet's name and its head stand above its rows. Charts are left out.

    Raises:
        DocumentError: the package is not sound (`check_package`).
        DocumentTooLarge: there are more sheets or cells than the limits allow.
    """
    check_package(out.name, data, out.limits)
    workbook = load_workbook(BytesIO(data), read_only=True, data_only=True, keep_links=False)
    out.title = (workbook.properties.title or "").strip()
    for sheet in workbook.worksheets:
        out.count("sheets", out.limits.pages)
        out.under(1, sheet.title)
        _read_sheet(sheet, out)
        out.end_table()


def _read_sheet(sheet: ReadOnlyWorksheet, out: Collector) -> None:
    sheet.reset_dimensions()  # what the file says of them may be wrong, or a trap
    for row in sheet.iter_rows():
        cells = [cell for cell in row if cell.value is not None]
        if cells:
            first, last = cells[0], cells[-1]
            span = cell_range(first.row, first.column, last.column)
            values = [_shown(cell.value) for cell in cells]
            add_row(out, values, Anchor(sheet=sheet.title, cells=span))


def _shown(value: object) -> str:
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat(" ") if isinstance(value, datetime.datetime) else value.isoformat()
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(value)
