"""Excel files whose formulas go by the words of other cells."""

from io import BytesIO

import openpyxl
import pytest
from lxml import etree

from archipel.documents.blocks import Limits
from archipel.documents.editing.opened import open_editable
from archipel.documents.editing.stretches import Change
from benchmarks.office.made import FILES
from benchmarks.office.packages import entries, packed

_SHEET, _BOOK = "xl/worksheets/sheet1.xml", "xl/workbook.xml"


def _changed(data: bytes) -> dict[str, bytes]:
    opened = open_editable("a.xlsx", data, Limits())
    return entries(opened.changed({0: Change("Other words")}, None))


def test_what_a_formula_showed_of_other_words_is_computed_anew() -> None:
    files = _changed(FILES["computed-en.xlsx"]())
    cells = etree.fromstring(files[_SHEET]).iterfind(".//{*}c[{*}f]")
    assert [[child.tag.partition("}")[2] for child in cell] for cell in cells] == [["f"]] * 2
    assert b'fullCalcOnLoad="1"' in files[_BOOK]


def test_a_workbook_that_does_not_tell_how_to_compute_is_told() -> None:
    files = entries(FILES["computed-en.xlsx"]())
    files[_BOOK] = files[_BOOK].replace(b'<calcPr calcId="124519"/>', b"")
    workbook = etree.fromstring(_changed(packed(files))[_BOOK])
    assert [child.tag.partition("}")[2] for child in workbook][-2:] == ["definedNames", "calcPr"]


def test_a_workbook_without_texts_as_results_is_as_it_was() -> None:
    data = FILES["rich-en.xlsx"]()
    before, after = entries(data), _changed(data)
    assert [name for name in before if before[name] != after[name]] == ["xl/sharedStrings.xml"]


@pytest.mark.parametrize(
    "told",
    [
        '<autoFilter ref="A1:A2"><filterColumn colId="0"><customFilters>'
        '<customFilter operator="notEqual" val="Nantes"/></customFilters></filterColumn>'
        "</autoFilter>",
        '<extLst><ext xmlns:x14="http://schemas.microsoft.com/office/spreadsheetml/2009/9/main" '
        'xmlns:xm="http://schemas.microsoft.com/office/excel/2006/main" uri="a">'
        '<x14:dataValidations><x14:dataValidation><x14:formula1><xm:f>"Nantes,Lyon"</xm:f>'
        "</x14:formula1></x14:dataValidation></x14:dataValidations></ext></extLst>",
    ],
)
def test_words_that_filters_and_later_kinds_of_lists_go_by_are_left(told: str) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Nantes"])
    written = BytesIO()
    book.save(written)
    files = entries(written.getvalue())
    files[_SHEET] = files[_SHEET].replace(b"</sheetData>", b"</sheetData>" + told.encode())
    opened = open_editable("a.xlsx", packed(files), Limits())
    assert not opened.stretches
    assert [one.anchor.cells for one in opened.left] == ["A1"]


def test_shapes_with_words_are_named_as_left() -> None:
    shape = b'<xdr:sp><a:p xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><a:r>'
    shape += b"<a:t>Look here</a:t></a:r></a:p></xdr:sp>"
    files = entries(FILES["library-fr.xlsx"]())
    reasons = []
    for added in (b"", shape):
        name = "xl/drawings/drawing1.xml"
        head, end, tail = files[name].rpartition(b"</")
        space = b' xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"'
        words = added.replace(b"<xdr:sp>", b"<xdr:sp" + space + b">")
        opened = open_editable(
            "a.xlsx", packed(files | {name: head + words + end + tail}), Limits()
        )
        reasons.append([one.reason for one in opened.left])
    assert reasons == [[], ["drawing"]]
