"""Word files: paragraphs, headings, lists, tables and footnotes, anchored by paragraph."""

import re
from collections.abc import Iterator
from io import BytesIO

from docx import Document as open_docx
from docx.document import Document as Docx
from docx.table import Table
from docx.text.paragraph import Paragraph

from archipel.documents.blocks import Anchor
from archipel.documents.collector import Collector
from archipel.documents.formats.package import check_package, parse_xml
from archipel.documents.formats.table import add_row

_HEADING = re.compile(r"(?:heading|titre|überschrift|título|titolo|kop) ?(\d)", re.IGNORECASE)
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_NOTES = ("/footnotes", "/endnotes")


def read_docx(data: bytes, out: Collector) -> None:
    """The body in its order, then the notes. Headers, footers and text boxes are left out.

    Raises:
        DocumentError: the package is not sound (`check_package`).
    """
    check_package(out.name, data, out.limits)
    document = open_docx(BytesIO(data))
    number = 0
    for item in document.iter_inner_content():
        if isinstance(item, Paragraph):
            number += 1
            _add_paragraph(item, number, out)
        else:
            number = _add_table(item, number, out)
    out.under(1, "")
    for note in _notes(document):
        number += 1
        out.add(note, Anchor(paragraph=number))
    out.title = out.title or (document.core_properties.title or "").strip()


def _add_paragraph(paragraph: Paragraph, number: int, out: Collector) -> None:
    level = _heading_level(paragraph)
    if level is None:
        out.add(paragraph.text, Anchor(paragraph=number))
    else:
        out.heading(level, paragraph.text, Anchor(paragraph=number))


def _add_table(table: Table, number: int, out: Collector) -> int:
    """Its rows; returns the number of the last one, which counts as a paragraph."""
    for row in table.rows:
        number += 1
        cells = {id(cell._tc): cell.text for cell in row.cells}  # a merged cell comes several times
        add_row(out, list(cells.values()), Anchor(paragraph=number))
    out.end_table()
    return number


def _heading_level(paragraph: Paragraph) -> int | None:
    style = paragraph.style
    name = (style.name or "") if style is not None else ""
    if name.lower() in ("title", "titre"):
        return 1
    found = _HEADING.match(name)
    return int(found[1]) if found else None


def _notes(document: Docx) -> Iterator[str]:
    for relation in document.part.rels.values():
        if relation.is_external or not relation.reltype.endswith(_NOTES):
            continue
        for note in parse_xml(relation.target_part.blob):
            yield "".join(text.text or "" for text in note.iter(f"{_W}t"))
