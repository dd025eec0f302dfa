"""PDF files with the changes as notes: a page's layout can't take other words, so that beside each
paragraph stands what would take its place.
"""

import ctypes
from io import BytesIO

import pypdfium2
from pypdfium2 import raw

from archipel.documents.blocks import Box, Limits
from archipel.documents.collector import Collector
from archipel.documents.editing.runs import has_words
from archipel.documents.editing.stretches import Author, Changes, Stretch
from archipel.documents.formats.pdf import open_pdf, read_pdf

_YELLOW = (255, 224, 138, 160)  # red, green, blue, opacity


class NotesFile:
    """An `Editable` (`stretches.py`) of a PDF: its paragraphs, changed in notes on a copy."""

    def __init__(self, name: str, data: bytes, limits: Limits) -> None:
        """
        Raises:
            DocumentError: it can't be read.
        """
        out = Collector(name, limits)
        read_pdf(data, out)
        self._name, self._data = name, data
        words = [block for block in out.blocks if has_words(block.text)]
        self.stretches = [Stretch(block.text, block.anchor) for block in words]
        self.left = list(out.unread)

    def changed(self, changes: Changes, author: Author | None) -> bytes:
        """See `Editable`: a changed paragraph is highlighted, and the new text is in its note."""
        with open_pdf(self._name, self._data) as document:
            for number, change in changes.items():
                stretch = self.stretches[number]
                if change.text != stretch.text and stretch.anchor.page and stretch.anchor.box:
                    page = document[stretch.anchor.page - 1]
                    _note(page, stretch.anchor.box, change.text, author)
                    page.close()
            written = BytesIO()
            document.save(written)
            return written.getvalue()


def _note(page: pypdfium2.PdfPage, box: Box, text: str, author: Author | None) -> None:
    left, bottom, right, top = box
    note = raw.FPDFPage_CreateAnnot(page, raw.FPDF_ANNOT_HIGHLIGHT)
    try:
        rectangle = raw.FS_RECTF(left=left, bottom=bottom, right=right, top=top)
        raw.FPDFAnnot_SetRect(note, ctypes.byref(rectangle))
        corners = raw.FS_QUADPOINTSF(left, top, right, top, left, bottom, right, bottom)
        raw.FPDFAnnot_AppendAttachmentPoints(note, ctypes.byref(corners))
        raw.FPDFAnnot_SetColor(note, raw.FPDFANNOT_COLORTYPE_Color, *_YELLOW)
        told = {b"Contents": text, b"T": author.name if author else ""}
        for key, value in told.items():
            if value:
                raw.FPDFAnnot_SetStringValue(note, key, _wide(value))
    finally:
        raw.FPDFPage_CloseAnnot(note)


def _wide(text: str) -> "ctypes.Array[ctypes.c_ushort]":
    """A text as PDFium takes it: UTF-16, ended by zero."""
    data = (text + "\0").encode("utf-16-le")
    return (ctypes.c_ushort * (len(data) // 2)).from_buffer_copy(data)
