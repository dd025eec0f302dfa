"""Office files of a text: what Office's own readers find in them."""

import io
import zipfile

import docx
import openpyxl
import pptx
import pytest
from docx.document import Document

from archipel.documents.making.made import make_file
from archipel.errors import ConfigError

TEXT = """# Harbour report

Some *italic* and **bold** words, `code` and a [link](https://example.org).

## Traffic

1. First
2. Second
   - inner

Between.

1. Again

> Quoted

| Port | Ships | Code |
|---|---:|---|
| Brest | 1,200 | 007 |
| =HYPERLINK("http://x") | 12.5 | x |

```chart column Visitors
year;Brest;Nantes
2023;100;70
2024;120;80,5
```

```python
print("x")
```
"""


def read_docx(data: bytes) -> Document:
    return docx.Document(io.BytesIO(data))


def test_a_word_file_has_words_own_styles() -> None:
    document = read_docx(make_file("report.docx", TEXT))
    found = [(one.text, one.style.name) for one in document.paragraphs if one.text and one.style]
    assert found == [
        ("Harbour report", "Heading 1"),
        ("Some italic and bold words, code and a link.", "Normal"),
        ("Traffic", "Heading 2"),
        ("First", "List Number"),
        ("Second", "List Number"),
        ("inner", "List Bullet 2"),
        ("Between.", "Normal"),
        ("Again", "List Number"),
        ("Quoted", "Quote"),
        ("Visitors", "Caption"),
        ('print("x")', "Code"),
    ]
    words = document.paragraphs[1]
    assert [run.text for run in words.runs if run.bold] == ["bold"]
    assert [link.url for link in words.hyperlinks] == ["https://example.org"]
    numbers = [
        p._p.pPr.numPr.numId.val for p in document.paragraphs if p.style.name == "List Number"
    ]
    assert numbers[0] == numbers[1] != numbers[2]  # the second list begins anew
    assert [cell.text for cell in document.tables[0].rows[1].cells] == ["Brest", "1,200", "007"]


def test_a_chart_in_a_word_file_comes_with_the_numbers_it_is_drawn_from() -> None:
    package = zipfile.ZipFile(io.BytesIO(make_file("report.docx", TEXT)))
    chart = package.read("word/charts/chart1.xml").decode()
    assert "<c:barChart>" in chart
    assert "<c:legend>" in chart
    book = openpyxl.load_workbook(io.BytesIO(package.read("word/embeddings/chart1.xlsx"))).active
    assert book is not None
    assert [[cell.value for cell in row] for row in book.rows][1:] == [
        ["2023", 100, 70],
        ["2024", 120, 80.5],
    ]


def test_a_template_gives_its_styles_and_page_and_not_its_text() -> None:
    template = docx.Document()
    template.add_paragraph("Old text")
    template.sections[0].header.paragraphs[0].text = "House of Words"
    template.styles["Heading 1"].font.name = "Verdana"
    file = io.BytesIO()
    template.save(file)
    document = read_docx(make_file("report.docx", TEXT, file.getvalue()))
    assert document.paragraphs[0].text == "Harbour report"
    assert document.sections[0].header.paragraphs[0].text == "House of Words"
    assert document.styles["Heading 1"].font.name == "Verdana"


def test_slides_go_on_where_one_is_full() -> None:
    text = TEXT + "\n## Many\n\n" + "\n".join(f"- point {n}" for n in range(20))
    deck = pptx.Presentation(io.BytesIO(make_file("report.pptx", text)))
    titles = [slide.shapes.title.text for slide in deck.slides]
    assert titles[:4] == ["Harbour report", "Harbour report", "Traffic", "Traffic"]
    assert titles[-3:] == ["Many", "Many", "Many"]
    assert any(shape.has_chart for slide in deck.slides for shape in slide.shapes)
    [table] = [s.table for slide in deck.slides for s in slide.shapes if s.has_table]
    assert table.cell(1, 0).text == "Brest"
    lines = [
        p.text
        for slide in list(deck.slides)[-3:]
        for p in slide.placeholders[1].text_frame.paragraphs
    ]
    assert lines == [f"point {n}" for n in range(20)]


def test_a_workbook_has_numbers_as_numbers_and_never_a_formula_of_ours() -> None:
    book = openpyxl.load_workbook(io.BytesIO(make_file("report.xlsx", TEXT)))
    assert book.sheetnames == ["Traffic", "Visitors"]
    rows = [[cell.value for cell in row] for row in book["Traffic"].rows]
    assert rows[1:] == [["Brest", 1200, "007"], ['=HYPERLINK("http://x")', 12.5, "x"]]
    assert book["Traffic"]["A3"].data_type == "s"
    assert book["Traffic"].freeze_panes == "A2"
    assert len(book["Visitors"]._charts) == 1


def test_numbers_are_read_as_the_texts_language_writes_them() -> None:
    french = (
        "Le port est dans la ville et les navires sont sur la mer.\n\n"
        "| Le port | Nombre |\n|---|---|\n| Brest | 1.200,5 |\n| Nantes | 12,5 |\n"
    )
    book = openpyxl.load_workbook(io.BytesIO(make_file("a.xlsx", french)))
    assert [row[1].value for row in book.worksheets[0].rows][1:] == [1200.5, 12.5]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.odt", "x", r"'a\.odt': \.docx, \.pptx, \.xlsx are made"),
        ("a.docx", " \n", "there is no text"),
        ("a.xlsx", "# Only words", "made of tables and charts, and the text has none"),
        ("a.docx", "```chart round Pies\na;b\n1;2\n```", "a chart is column, bar, line, pie"),
        ("a.docx", "```chart bar Pies\na;b\n1;two\n```", "has 'two' where a number should be"),
        ("a.docx", "```chart bar Pies\na;b\n1\n```", "no rows of one length"),
    ],
)
def test_what_can_not_be_made_is_said(name: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make_file(name, text)
