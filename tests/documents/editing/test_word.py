"""Word files changed in place: what is text, what stays, what is left and said."""

import io
import zipfile
from collections.abc import Callable

import docx
import pytest
from docx.document import Document
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from archipel.documents.blocks import Limits
from archipel.documents.editing.opened import open_editable
from archipel.documents.editing.stretches import OBJECT, Author, Change, Editable
from archipel.errors import DocumentHasMacros, DocumentUnsupported

AUTHOR = Author("Ada", "2026-01-02T03:04:05Z")


def opened(data: bytes) -> Editable:
    return open_editable("report.docx", data, Limits())


def bytes_of(document: Document) -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def with_paragraph(inner: str) -> bytes:
    """A file with one paragraph, written as XML."""
    document = docx.Document()
    document.element.body.insert(0, parse_xml(f"<w:p {nsdecls('w')}>{inner}</w:p>"))
    return bytes_of(document)


def texts(file: Editable) -> list[str]:
    return [stretch.text for stretch in file.stretches]


def body(data: bytes) -> str:
    return zipfile.ZipFile(io.BytesIO(data)).read("word/document.xml").decode()


def test_changes_are_tracked_word_by_word_and_keep_the_look_of_what_they_replace() -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("We have ")
    paragraph.add_run("two old").bold = True
    paragraph.add_run(" boats.")
    changed = opened(bytes_of(document)).changed({0: Change("We have two new boats.")}, AUTHOR)
    xml = body(changed)
    assert '<w:del w:id="1" w:author="Ada" w:date="2026-01-02T03:04:05Z">' in xml
    assert "<w:rPr><w:b/></w:rPr><w:delText>old</w:delText>" in xml
    assert "<w:rPr><w:b/></w:rPr><w:t>new</w:t>" in xml
    assert xml.count("<w:del ") == xml.count("<w:ins ") == 1


def test_without_an_author_changes_are_just_made() -> None:
    document = docx.Document()
    document.add_paragraph("One boat.")
    changed = opened(bytes_of(document)).changed({0: Change("Two boats.")}, None)
    assert [p.text for p in docx.Document(io.BytesIO(changed)).paragraphs] == ["Two boats."]
    assert "w:ins" not in body(changed)


def test_only_the_part_with_a_change_is_written_anew() -> None:
    document = docx.Document()
    document.add_paragraph("Body.")
    document.sections[0].header.paragraphs[0].text = "Header."
    data = bytes_of(document)
    file = opened(data)
    assert texts(file) == ["Body.", "Header."]
    changed = zipfile.ZipFile(io.BytesIO(file.changed({1: Change("Other header.")}, AUTHOR)))
    before = zipfile.ZipFile(io.BytesIO(data))
    differ = [name for name in before.namelist() if before.read(name) != changed.read(name)]
    assert changed.namelist() == before.namelist()
    assert [name for name in differ if "header" not in name] == []
    assert len(differ) == 1


@pytest.mark.parametrize(
    ("inner", "found"),
    [
        ("<w:r><w:t>One</w:t><w:tab/><w:t>Two</w:t><w:br/><w:t>Three</w:t></w:r>",
         ["One", "Two", "Three"]),
        ('<w:r><w:t xml:space="preserve">See </w:t></w:r><w:hyperlink w:anchor="a"><w:r>'
         "<w:t>the annex</w:t></w:r></w:hyperlink><w:r><w:t>.</w:t></w:r>",
         ["the annex", f"See {OBJECT}."]),
        ('<w:r><w:t xml:space="preserve">Page </w:t></w:r><w:r><w:fldChar w:fldCharType="begin"/>'
         "</w:r><w:r><w:instrText> PAGE </w:instrText></w:r><w:r>"
         '<w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>four</w:t></w:r><w:r>'
         '<w:fldChar w:fldCharType="end"/></w:r>', [f"Page {OBJECT}"]),
        ('<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> HYPERLINK "a" '
         '</w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>a link'
         '</w:t></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>', ["a link"]),
        ("<w:r><w:t>12.5 %</w:t></w:r>", []),
    ],
)  # fmt: skip
def test_what_is_text_and_what_stays(inner: str, found: list[str]) -> None:
    assert texts(opened(with_paragraph(inner))) == found


def test_a_link_and_a_field_survive_a_new_text_around_them() -> None:
    inner = (
        '<w:r><w:t xml:space="preserve">See </w:t></w:r><w:hyperlink w:anchor="a"><w:r>'
        "<w:t>this</w:t></w:r></w:hyperlink><w:r><w:t> now</w:t></w:r>"
    )
    file = opened(with_paragraph(inner))
    assert texts(file) == ["this", f"See {OBJECT} now"]
    changes = {0: Change("ceci"), 1: Change(f"Voir maintenant {OBJECT}")}
    read = docx.Document(io.BytesIO(file.changed(changes, None))).paragraphs[0]
    assert read.text == "Voir maintenant ceci"
    assert [link.text for link in read.hyperlinks] == ["ceci"]


@pytest.mark.parametrize(
    "inner",
    [
        '<w:ins w:id="1" w:author="B" w:date="2026-01-01T00:00:00Z"><w:r><w:t>New</w:t></w:r>'
        "</w:ins><w:r><w:t> and old</w:t></w:r>",
        '<w:r><w:t>Old</w:t></w:r><w:del w:id="1" w:author="B"><w:r><w:delText> gone</w:delText>'
        "</w:r></w:del>",
        '<w:pPr><w:rPr><w:del w:id="1" w:author="B"/></w:rPr></w:pPr><w:r><w:t>Old</w:t></w:r>',
    ],
)  # fmt: skip
def test_a_paragraph_that_awaits_a_word_on_others_changes_is_left_and_said(inner: str) -> None:
    file = opened(with_paragraph(inner))
    assert texts(file) == []
    assert [one.anchor.paragraph for one in file.left] == [1]
    assert file.left[0].reason == "tracked"


def _with_entry(data: bytes, change: Callable[[str, bytes], tuple[str, bytes]]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as package, zipfile.ZipFile(written, "w") as out:
        for name in package.namelist():
            out.writestr(*change(name, package.read(name)))
    return written.getvalue()


def test_macros_and_the_strict_format_are_refused() -> None:
    plain = bytes_of(docx.Document())
    loose = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    strict = b"http://purl.oclc.org/ooxml/wordprocessingml/main"
    with pytest.raises(DocumentUnsupported, match=r"strict format\. Save it as Word document"):
        opened(_with_entry(plain, lambda name, data: (name, data.replace(loose, strict))))
    macros = {"docProps/thumbnail.jpeg": "word/vbaProject.bin"}
    with pytest.raises(DocumentHasMacros):
        opened(_with_entry(plain, lambda name, data: (macros.get(name, name), data)))
