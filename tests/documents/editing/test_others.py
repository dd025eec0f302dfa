"""PowerPoint, Excel, PDF and text files changed in place."""

import io
from pathlib import Path

import openpyxl
import pptx
import pypdfium2
import pytest
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.worksheet.table import Table
from pptx.util import Inches
from pypdfium2 import raw

from archipel.documents.blocks import Limits
from archipel.documents.editing.opened import open_editable
from archipel.documents.editing.stretches import Author, Change, Editable, Mark
from archipel.errors import DocumentUnsupported
from tests.documents.made import make_pdf

AUTHOR = Author("Ada", "2026-01-02T03:04:05Z")


def opened(name: str, data: bytes) -> Editable:
    return open_editable(name, data, Limits())


def texts(file: Editable) -> list[str]:
    return [stretch.text for stretch in file.stretches]


def test_slides_keep_the_look_of_runs_and_what_is_around_them() -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "A title"
    paragraph = slide.placeholders[1].text_frame.paragraphs[0]
    paragraph.add_run().text = "Some "
    bold = paragraph.add_run()
    bold.text, bold.font.bold = "bold", True
    table = slide.shapes.add_table(1, 1, Inches(1), Inches(4), Inches(2), Inches(1)).table
    table.cell(0, 0).text = "A cell"
    slide.notes_slide.notes_text_frame.text = "A note"
    data = io.BytesIO()
    deck.save(data)
    file = opened("deck.pptx", data.getvalue())
    assert texts(file) == ["A title", "Some bold", "A cell", "A note"]
    assert [one.anchor.shape for one in file.stretches][::3] == ["Title 1", "notes"]
    changes = {
        0: Change("Un titre"),
        1: Change("Du gras", (Mark(3, 7, 0),)),
        2: Change("Une cellule"),
        3: Change("Une note"),
    }
    read = pptx.Presentation(io.BytesIO(file.changed(changes, AUTHOR))).slides[0]
    runs = read.placeholders[1].text_frame.paragraphs[0].runs
    assert [(run.text, run.font.bold) for run in runs] == [("Du ", None), ("gras", True)]
    assert read.shapes.title.text == "Un titre"
    assert read.notes_slide.notes_text_frame.text == "Une note"


@pytest.fixture
def workbook() -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["Fruit", "Count"], ["Apples", 3], ["Pears", "=B2*2"], ["Sum", "=SUM(B2:B3)"]):
        sheet.append(row)
    sheet.add_table(Table(displayName="T", ref="A1:B4"))
    sheet["D1"] = "open"
    sheet["D2"] = '=IF(D1="open",1,0)'
    bold = TextBlock(InlineFont(b=True), "very")
    sheet["D3"] = CellRichText("a ", bold, " rich text")
    return book


def test_words_in_cells_change_and_formulas_and_names_do_not(workbook: openpyxl.Workbook) -> None:
    data = io.BytesIO()
    workbook.save(data)
    file = opened("book.xlsx", data.getvalue())
    assert sorted(texts(file)) == ["Apples", "Pears", "Sum", "a very rich text"]
    left = {one.anchor.cells: one.reason for one in file.left}
    assert left.keys() == {"A1", "B1", "D1"}
    assert left["A1"] == "named"
    changes = {n: Change(one.text.upper(), one.marked) for n, one in enumerate(file.stretches)}
    changed = file.changed(changes, AUTHOR)
    read = openpyxl.load_workbook(io.BytesIO(changed), rich_text=True).active
    assert read is not None
    assert [cell.value for cell in read["A"]] == ["Fruit", "APPLES", "PEARS", "SUM"]
    assert [cell.value for cell in read["B"]] == ["Count", 3, "=B2*2", "=SUM(B2:B3)"]
    assert read["D2"].value == '=IF(D1="open",1,0)'
    assert str(read["D3"].value) == "A VERY RICH TEXT"
    assert [str(one) for one in read["D3"].value if isinstance(one, TextBlock)] == ["VERY"]


def test_a_pdf_gets_notes_on_a_copy(tmp_path: Path) -> None:
    data = make_pdf(tmp_path / "a.pdf", [[("A first page.", 12)]]).read_bytes()
    file = opened("a.pdf", data)
    changed = file.changed({0: Change("Une première page\u202f!")}, AUTHOR)
    with pypdfium2.PdfDocument(changed) as document:
        page = document[0]
        assert raw.FPDFPage_GetAnnotCount(page) == 1
        note = raw.FPDFPage_GetAnnot(page, 0)
        room = (raw.FPDF_WCHAR * 100)()
        size = raw.FPDFAnnot_GetStringValue(note, b"Contents", room, 200)
        assert bytes(room)[: size - 2].decode("utf-16-le") == "Une première page\u202f!"
        assert page.get_textpage().get_text_bounded().strip() == "A first page."
        raw.FPDFPage_CloseAnnot(note)


def test_a_text_is_one_stretch_and_stays_utf_8() -> None:
    file = opened("a.md", "# Été\n\nUn mot.\n".encode("cp1252"))
    assert texts(file) == ["# Été\n\nUn mot.\n"]
    assert file.changed({0: Change("# Hiver\n")}, AUTHOR) == b"# Hiver\n"


def test_what_can_be_read_and_not_changed_is_said() -> None:
    with pytest.raises(DocumentUnsupported, match="is html, and changed can be docx"):
        opened("a.html", b"<html><p>Hello</p></html>")
