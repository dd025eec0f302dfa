"""PowerPoint files: the text of shapes, tables and notes, anchored by slide and shape."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

from pptx import Presentation

from archipel.documents.blocks import Anchor
from archipel.documents.collector import Collector
from archipel.documents.formats.package import check_package
from archipel.documents.formats.table import add_row

_NOTES = "notes"


def read_pptx(data: bytes, out: Collector) -> None:
    """Slide after slide, each under its title.

    Raises:
        DocumentError: the package is not sound (`check_package`).
        DocumentTooLarge: there are more slides than the limits allow.
    """
    check_package(out.name, data, out.limits)
    presentation = Presentation(BytesIO(data))
    for number, slide in enumerate(presentation.slides, 1):
        out.count("slides", out.limits.pages)
        out.under(1, "")
        title = slide.shapes.title
        if title is not None:
            out.heading(1, title.text_frame.text, Anchor(slide=number, shape=title.name))
        for shape in _flat(slide.shapes):
            if title is None or shape.shape_id != title.shape_id:
                _add_shape(shape, number, out)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            notes = slide.notes_slide.notes_text_frame.text
            out.add(notes, Anchor(slide=number, shape=_NOTES))
    out.title = out.title or (presentation.core_properties.title or "").strip()


def _flat(shapes: Iterable[Any]) -> Iterator[Any]:
    """Shapes, and those within groups."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _flat(shape.shapes)
        else:
            yield shape


def _add_shape(shape: Any, number: int, out: Collector) -> None:
    anchor = Anchor(slide=number, shape=shape.name)
    if shape.has_text_frame:
        for paragraph in shape.text_frame.paragraphs:
            out.add(paragraph.text, anchor)
    elif getattr(shape, "has_table", False):
        for row in shape.table.rows:
            add_row(out, [cell.text for cell in row.cells], anchor)
        out.end_table()
