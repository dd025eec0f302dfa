"""OpenDocument text (LibreOffice): headings, paragraphs, list items and rows, by paragraph."""

from collections.abc import Iterator

from lxml import etree

from archipel.documents.blocks import Anchor
from archipel.documents.collector import Collector
from archipel.documents.formats.package import check_package, entry_bytes, parse_xml
from archipel.documents.formats.table import add_row
from archipel.errors import DocumentLocked

_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_SPACES = {f"{_TEXT}s": " ", f"{_TEXT}tab": " ", f"{_TEXT}line-break": "\n"}
_LEFT_OUT = frozenset((f"{_TEXT}tracked-changes", f"{_TEXT}note-citation"))


def read_odt(data: bytes, out: Collector) -> None:
    """The body in its order.

    Raises:
        DocumentError: the package is not sound (`check_package`).
        DocumentLocked: it has a password.
    """
    check_package(out.name, data, out.limits)
    if b"encryption-data" in (entry_bytes(data, "META-INF/manifest.xml") or b""):
        raise DocumentLocked(f"{out.name!r} has a password. Save a copy without it, and add that.")
    root = parse_xml(entry_bytes(data, "content.xml") or b"")
    for number, element in enumerate(_paragraphs(root), 1):
        anchor = Anchor(paragraph=number)
        if element.tag == f"{_TEXT}h":
            level = element.get(f"{_TEXT}outline-level") or "1"
            out.heading(int(level) if level.isdigit() else 1, _words(element), anchor)
        elif element.tag == f"{_TABLE}table-row":
            if element.getprevious() is None or element.getprevious().tag != element.tag:
                out.end_table()
            cells = element.iterchildren(f"{_TABLE}table-cell")
            add_row(out, [_words(cell) for cell in cells], anchor)
        else:
            out.end_table()
            out.add(_words(element), anchor)


def _paragraphs(element: etree._Element) -> Iterator[etree._Element]:
    """Headings, rows and paragraphs outside of rows."""
    for child in element:
        if child.tag in (f"{_TEXT}h", f"{_TEXT}p", f"{_TABLE}table-row"):
            yield child
        elif child.tag not in _LEFT_OUT:
            yield from _paragraphs(child)


def _words(element: etree._Element) -> str:
    return "".join(_texts(element))


def _texts(element: etree._Element) -> Iterator[str]:
    yield _SPACES.get(element.tag, "") + (element.text or "")
    for child in element:
        if child.tag not in _LEFT_OUT:
            yield from _texts(child)
        yield child.tail or ""
    if element.tag == f"{_TEXT}p":
        yield " "
