"""Word files: paragraphs, headings, lists, tables and footnotes, anchored by paragraph."""

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

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
_BLANKS = frozenset((f"{_W}tab", f"{_W}br", f"{_W}cr"))
_LEFT_OUT = frozenset(
    (
        *(f"{_W}{name}" for name in ("del", "moveFrom", "pict", "object", "drawing", "pPr", "rPr")),
        "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent",
    )
)


def read_docx(data: bytes, out: Collector) -> None:
    """The body in its order, then the notes, as they read when all tracked changes are accepted.
    Headers, footers, comments and text boxes are left out.

    Raises:
        DocumentError: the package is not sound (`check_package`).
    """
    check_package(out.name, data, out.limits)
    document = open_docx(BytesIO(data))
    levels: dict[str | None, int | None] = {}
    number = 0
    for item in _items(document.element.body):
        if item.tag == f"{_W}p":
            number += 1
            _add_paragraph(Paragraph(item, document._body), number, levels, out)
        else:
            number = _add_table(Table(item, document._body), number, out)
    out.under(1, "")
    for note in _notes(document):
        number += 1
        out.add(note, Anchor(paragraph=number))
    out.title = out.title or (document.core_properties.title or "").strip()


def _items(parent: Any) -> Iterator[Any]:
    """Paragraphs and tables, also those in content controls."""
    for child in parent:
        if child.tag in (f"{_W}p", f"{_W}tbl"):
            yield child
        elif child.tag in (f"{_W}sdt", f"{_W}sdtContent"):
            yield from _items(child)


def _add_paragraph(
    paragraph: Paragraph, number: int, levels: dict[str | None, int | None], out: Collector
) -> None:
    """`levels` has those of the styles met so far: to look one up takes longer than to read on."""
    style = paragraph._p.style
    if style not in levels:
        levels[style] = _heading_level(paragraph)
    level = levels[style]
    text = "".join(_texts(paragraph._p))
    if level is None:
        out.add(text, Anchor(paragraph=number))
    else:
        out.heading(level, text, Anchor(paragraph=number))


def _add_table(table: Table, number: int, out: Collector) -> int:
    """Its rows; returns the number of the last one, which counts as a paragraph."""
    for row in table.rows:
        number += 1
        cells = {id(cell._tc): cell._tc for cell in row.cells}  # a merged one comes several times
        words = ["\n".join("".join(_texts(p)) for p in tc.iter(f"{_W}p")) for tc in cells.values()]
        add_row(out, words, Anchor(paragraph=number))
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
        if not relation.is_external and relation.reltype.endswith(_NOTES):
            for note in parse_xml(relation.target_part.blob):
                yield "".join(_texts(note))


def _texts(element: Any) -> Iterator[str]:
    """The text below an element, without what was deleted, moved away, or is in a text box."""
    for child in element:
        if child.tag == f"{_W}t":
            yield child.text or ""
        elif child.tag in _BLANKS:
            yield "\n"
        elif child.tag not in _LEFT_OUT:
            yield from _texts(child)
