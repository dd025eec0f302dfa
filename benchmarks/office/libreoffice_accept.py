"""Runs beside LibreOffice, with the system's Python: `libreoffice_accept.py PIPE`.

On its standard input are files and what to do with the tracked changes of each ("accept", "refuse"
or "keep"), as JSON; on its output come the texts that LibreOffice then has, in lines.
"""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import uno

_ORDERS = {"accept": ".uno:AcceptAllTrackedChanges", "refuse": ".uno:RejectAllTrackedChanges"}
_PATIENCE_SECONDS = 60
_HEADINGS = ("Header", "Footer")
_WHICH = ("Text", "TextLeft", "TextFirst")


def main() -> None:
    """Read the orders, and answer them."""
    context = _connected(sys.argv[1])
    manager = context.ServiceManager
    desktop = manager.createInstanceWithContext("com.sun.star.frame.Desktop", context)
    dispatcher = manager.createInstanceWithContext("com.sun.star.frame.DispatchHelper", context)
    hidden = uno.createUnoStruct("com.sun.star.beans.PropertyValue")
    hidden.Name, hidden.Value = "Hidden", True
    texts = []
    for path, action in json.load(sys.stdin):
        url = uno.systemPathToFileUrl(path)
        document = desktop.loadComponentFromURL(url, "_blank", 0, (hidden,))
        if action in _ORDERS:
            frame = document.CurrentController.Frame
            dispatcher.executeDispatch(frame, _ORDERS[action], "", 0, ())
        if hasattr(document, "TextFields"):
            document.TextFields.refresh()
        texts.append(list(_lines(document)))
        document.close(True)
    json.dump(texts, sys.stdout)


def _connected(pipe: str) -> Any:
    local = uno.getComponentContext()
    name = "com.sun.star.bridge.UnoUrlResolver"
    resolver = local.ServiceManager.createInstanceWithContext(name, local)
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return resolver.resolve(f"uno:pipe,name={pipe};urp;StarOffice.ComponentContext")
        except uno.getClass("com.sun.star.connection.NoConnectException"):
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def _lines(document: Any) -> Iterator[str]:
    if document.supportsService("com.sun.star.text.TextDocument"):
        yield from _written(document)
    elif document.supportsService("com.sun.star.sheet.SpreadsheetDocument"):
        for name in document.Sheets.ElementNames:
            cursor = document.Sheets.getByName(name).createCursor()
            cursor.gotoEndOfUsedArea(False)
            used = cursor.RangeAddress
            sheet = document.Sheets.getByName(name)
            area = sheet.getCellRangeByPosition(0, 0, used.EndColumn, used.EndRow)
            yield from (str(value) for row in area.DataArray for value in row)
    else:
        for number in range(document.DrawPages.Count):
            page = document.DrawPages.getByIndex(number)
            for shapes in (page, page.NotesPage):
                yield from _drawn(shapes)


def _written(document: Any) -> Iterator[str]:
    yield from _paragraphs(document.Text)
    for notes in (document.Footnotes, document.Endnotes):
        for number in range(notes.Count):
            yield from _paragraphs(notes.getByIndex(number))
    yield from _drawn(document.DrawPage)
    styles = document.StyleFamilies.getByName("PageStyles")
    for name in styles.ElementNames:
        style = styles.getByName(name)
        for heading in _HEADINGS:
            if style.isInUse() and style.getPropertyValue(f"{heading}IsOn"):
                for which in _WHICH:
                    yield from _paragraphs(style.getPropertyValue(f"{heading}{which}"))


def _paragraphs(text: Any) -> Iterator[str]:
    """Its paragraphs' text, and that of its tables' cells."""
    if text is None:
        return
    enumeration = text.createEnumeration()
    while enumeration.hasMoreElements():
        one = enumeration.nextElement()
        if one.supportsService("com.sun.star.text.TextTable"):
            for name in one.CellNames:
                yield from _paragraphs(one.getCellByName(name))
        else:
            yield one.String


def _drawn(shapes: Any) -> Iterator[str]:
    for number in range(shapes.Count):
        shape = shapes.getByIndex(number)
        if shape.supportsService("com.sun.star.drawing.GroupShape"):
            yield from _drawn(shape)
        elif shape.ShapeType == "com.sun.star.drawing.TableShape":
            table = shape.Model
            for row in range(table.RowCount):
                for column in range(table.ColumnCount):
                    yield table.getCellByPosition(column, row).String
        elif hasattr(shape, "String"):
            yield shape.String


if __name__ == "__main__":
    main()
