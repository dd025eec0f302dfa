"""Each kind of file gives its text in blocks, each with its place in the file."""

import asyncio
import zipfile
from pathlib import Path

import pytest

from archipel.documents.blocks import Anchor, Block, Document
from archipel.documents.reading import read_document
from archipel.errors import DocumentLocked
from tests.documents.made import (
    make_docx,
    make_eml,
    make_epub,
    make_odt,
    make_pdf,
    make_pptx,
    make_xlsx,
    rezipped,
)


def read(path: Path, name: str | None = None) -> Document:
    return asyncio.run(read_document(path, name or path.name))


def block(document: Document, words: str) -> Block:
    """The only block with these words."""
    (found,) = [block for block in document.blocks if words in block.text]
    return found


def test_a_pdf_has_pages_paragraphs_boxes_and_headings(tmp_path: Path) -> None:
    path = make_pdf(
        tmp_path / "rapport.pdf",
        [
            [
                *(("Rapport annuel", 24), ("", 12)),
                ("Les congés durent trente jours et se posent", 12),
                ("deux semaines à l’avance.", 12),
                *(("", 12), ("Un autre paragraphe (suite).", 12)),
            ],
            [("La deuxième page dit l’essentiel.", 12)],
        ],
    )
    document = read(path)
    assert document.title == "Rapport annuel"
    assert document.language == "fr"
    leave = block(document, "congés")
    assert leave.text == "Les congés durent trente jours et se posent deux semaines à l’avance."
    assert leave.headings == ("Rapport annuel",)
    assert (leave.anchor.page, leave.anchor.paragraph) == (1, 2)
    left, bottom, right, top = leave.anchor.box or (0, 0, 0, 0)
    assert 70 < left < 76
    assert 250 < right < 400
    assert 690 < bottom < top < 745
    assert block(document, "(suite)").anchor.paragraph == 3
    assert block(document, "essentiel").anchor.page == 2


def test_pages_without_text_are_named(tmp_path: Path) -> None:
    document = read(make_pdf(tmp_path / "half.pdf", [[("Some words", 12)], []]))
    assert [(unread.anchor, unread.reason) for unread in document.unread] == [
        (Anchor(page=2), "picture")
    ]


def test_a_word_file_has_headings_paragraphs_and_rows(tmp_path: Path) -> None:
    path = make_docx(
        tmp_path / "leave.docx",
        [
            ("Heading 1", "Leave"),
            ("Heading 2", "Summer"),
            ("Normal", "It is thirty days."),
            ("List Bullet", "Ask in May"),
        ],
        [["Team", "Days"], ["North", "31"]],
    )
    document = read(path)
    assert document.title == "Leave"
    days = block(document, "thirty")
    assert days.anchor == Anchor(paragraph=3)
    assert days.headings == ("Leave", "Summer")
    row = block(document, "North")
    assert row.text == "North | 31"
    assert row.headings == ("Leave", "Summer", "Team | Days")


def test_a_word_file_reads_as_with_its_changes_accepted(tmp_path: Path) -> None:
    """Tracked insertions, links and content controls are read, deletions are not."""
    path = make_docx(tmp_path / "tracked.docx", [("Normal", "REPLACED")])
    body = (
        "<w:sdt><w:sdtContent><w:p><w:r><w:t xml:space='preserve'>It is </w:t></w:r>"
        "<w:ins w:id='1' w:author='A'><w:r><w:t>forty</w:t></w:r></w:ins>"
        "<w:del w:id='2' w:author='A'><w:r><w:delText>thirty</w:delText></w:r></w:del>"
        "<w:hyperlink><w:r><w:tab/><w:t>days</w:t></w:r></w:hyperlink></w:p></w:sdtContent></w:sdt>"
    )
    with zipfile.ZipFile(path) as package:
        xml = package.read("word/document.xml").decode()
    start, end = xml.index("<w:p>"), xml.index("</w:p>") + len("</w:p>")
    changed = (xml[:start] + body + xml[end:]).encode()
    path.write_bytes(rezipped(path.read_bytes(), {"word/document.xml": changed}))
    assert [block.text for block in read(path).blocks] == ["It is forty days"]


def test_an_excel_file_has_sheets_and_cells(tmp_path: Path) -> None:
    rows = [["Town", "People", "Since"], ["Lyon", 522250, None], [], ["Nice", 343477.5, "1860"]]
    document = read(make_xlsx(tmp_path / "towns.xlsx", {"Towns": rows, "Empty": []}))
    lyon = block(document, "Lyon")
    assert lyon.text == "Lyon | 522250"
    assert lyon.anchor == Anchor(sheet="Towns", cells="A2:B2")
    assert lyon.headings == ("Towns", "Town | People | Since")
    assert block(document, "343477.5").anchor.cells == "A4:C4"


def test_a_powerpoint_file_has_slides_shapes_and_notes(tmp_path: Path) -> None:
    path = make_pptx(
        tmp_path / "talk.pptx", [("Opening", "Hello", ""), ("Figures", "Sales rose", "Say why")]
    )
    document = read(path)
    assert block(document, "Sales").anchor.slide == 2
    assert block(document, "Sales").headings == ("Figures",)
    assert block(document, "Caption of Figures").anchor == Anchor(slide=2, shape="Caption")
    assert block(document, "Say why").anchor == Anchor(slide=2, shape="notes")


def test_an_opendocument_text_has_headings_paragraphs_and_rows(tmp_path: Path) -> None:
    document = read(make_odt(tmp_path / "note.odt"))
    assert block(document, "premier").text == "Le premier  paragraphe".replace("  ", " ")
    assert block(document, "premier").headings == ("Titre",)
    assert block(document, "Lyon").text == "Lyon | 12"


def test_a_book_has_chapters_in_the_order_of_its_spine(tmp_path: Path) -> None:
    chapters = {
        "two.xhtml": "<h1>The boat</h1><p>It is blue.</p><p>It is small.</p>",
        "one.xhtml": "<h1>The harbour</h1><p>It is old &amp; quiet.</p>",
    }
    document = read(make_epub(tmp_path / "sea.epub", chapters))
    assert document.title == "The Sea"
    told = [(block.text, block.anchor.part, block.headings) for block in document.blocks]
    assert told == [
        ("The boat", ("two.xhtml",), ()),
        ("It is blue.", ("two.xhtml",), ("The boat",)),
        ("It is small.", ("two.xhtml",), ("The boat",)),
        ("The harbour", ("one.xhtml",), ()),
        ("It is old & quiet.", ("one.xhtml",), ("The harbour",)),
    ]
    fonts = make_epub(tmp_path / "fonts.epub", chapters, "http://www.idpf.org/2008/embedding")
    assert len(read(fonts).blocks) == 5
    with pytest.raises(DocumentLocked, match="protected against copying"):
        read(make_epub(tmp_path / "locked.epub", chapters, "http://www.w3.org/2001/04/xmlenc#aes"))


def test_markdown_is_the_words_a_reader_sees_by_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(
        "# Leave\n\nIt is **thirty** days, see\n[the law](http://x.example).\n\n- one\n- two\n\n"
        "| Team | Days |\n|---|---|\n| North | `31` |\n\n## After\n\n```py\nx = 1\n```\n"
    )
    document = read(path)
    leave = block(document, "thirty")
    assert leave.text == "It is thirty days, see the law."
    assert leave.anchor == Anchor(lines=(3, 4))
    assert block(document, "two").anchor == Anchor(lines=(7, 7))
    row = block(document, "North")
    assert (row.text, row.headings) == ("North | 31", ("Leave", "Team | Days"))
    assert block(document, "x = 1").headings == ("Leave", "After")


def test_html_is_the_visible_text(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text(
        "<!doctype html><title>Page</title><style>p{}</style><script>alert(1)</script>"
        "<h1>Head <b>line</b></h1><p>One <i>thing</i>.<p>Two.<div hidden>Never</div>"
        "<table><tr><th>A</th><th>B</th></tr><tr><td>c</td><td>d</td></tr></table>"
    )
    document = read(path)
    assert document.title == "Page"
    texts = [block.text for block in document.blocks]
    assert texts == ["Page", "Head line", "One thing.", "Two.", "A | B", "c | d"][1:]
    assert block(document, "c | d").headings == ("Head line", "A | B")
    assert block(document, "Two").anchor == Anchor(paragraph=3)


def test_text_and_code_have_lines(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_bytes("Première ligne\net la suite.\r\n\r\nDeuxième".encode("cp1252"))
    document = read(path)
    assert [(block.text, block.anchor.lines) for block in document.blocks] == [
        ("Première ligne et la suite.", (1, 2)),
        ("Deuxième", (4, 4)),
    ]
    code = tmp_path / "a.py"
    code.write_text("def f():\n    return 1\n\n\nx = f()\n")
    assert [(block.text, block.anchor.lines) for block in read(code).blocks] == [
        ("def f():\n    return 1", (1, 2)),
        ("x = f()", (5, 5)),
    ]


def test_a_csv_file_has_rows_whatever_its_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('Ville;Habitants\nLyon;"522 250"\nNice;"343,\n477"\n')
    document = read(path)
    assert block(document, "Lyon").text == "Lyon | 522 250"
    assert block(document, "Nice").anchor == Anchor(lines=(3, 4), cells="A3:B3")
    assert block(document, "Nice").headings == ("Ville | Habitants",)


def test_a_message_is_read_with_what_hangs_on_it(tmp_path: Path) -> None:
    inner = make_docx(tmp_path / "leave.docx", [("Normal", "It is thirty days.")])
    picture = tmp_path / "logo.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    path = make_eml(tmp_path / "mail.eml", "Leave", "Please read\nthe file.\n", [inner, picture])
    document = read(path)
    assert document.title == "Leave"
    assert block(document, "awa@example.org").anchor == Anchor(paragraph=1)
    assert block(document, "Please").text == "Please read the file."
    assert block(document, "thirty").anchor == Anchor(paragraph=1, part=("leave.docx",))
    (unread,) = document.unread
    assert unread.anchor.part == ("logo.png",)


def test_a_message_in_letters_that_do_not_exist_and_one_within_another(tmp_path: Path) -> None:
    path = tmp_path / "odd.eml"
    path.write_bytes(
        b"From: a@example.org\nSubject: =?utf-8?q?Caf=C3=A9?=\nMIME-Version: 1.0\n"
        b"Content-Type: multipart/mixed; boundary=x\n\n"
        b'--x\nContent-Type: text/plain; charset="klingon"\n\nUn caf\xc3\xa9.\n'
        b"--x\nContent-Type: message/rfc822\n\nFrom: b@example.org\nSubject: Inner\n\n"
        b"The inner one.\n"
        b"--x--\n"
    )
    document = read(path)
    assert document.title == "Café"
    assert block(document, "Un café.").anchor.part == ()
    assert block(document, "The inner one.").anchor.part == ("message.eml",)


def test_what_a_file_is_counts_more_than_its_name(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "scan", [[("Some words", 12)]])
    assert block(read(path, "report.docx"), "Some words").anchor.page == 1


def test_a_page_is_cited_by_the_words_of_a_line_that_was_cut(tmp_path: Path) -> None:
    lines = [("The longest words are cut at the end of the line by a hy-", 12), ("phen.", 12)]
    (only,) = read(make_pdf(tmp_path / "cut.pdf", [lines])).blocks
    assert only.text.endswith(("a hyphen.", "a hy- phen."))
