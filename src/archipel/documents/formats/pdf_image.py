"""A page of a PDF as a picture, and where on it some words of a paragraph are."""

import ctypes
import io

import pypdfium2
from pypdfium2 import raw

from archipel.documents.blocks import Box
from archipel.documents.formats.pdf import open_pdf
from archipel.documents.formats.pdf_page import boxes, paragraphs
from archipel.documents.pages import PageImage, PlaceOnPage
from archipel.errors import ConfigError

_MAX_PIXELS = 4_000_000


def page_image(name: str, data: bytes, place: PlaceOnPage, width: int) -> PageImage:
    """The page of `place`, `width` pixels wide, or less for a page of more than 4 million pixels.

    Raises:
        DocumentLocked, DocumentCorrupt: the PDF can't be opened.
        ConfigError: there is no such page or width.
    """
    with open_pdf(name, data) as document:
        if not 1 <= place.page <= len(document) or width < 1:
            raise ConfigError(
                f"{name!r} has no page {place.page} at {width} pixels: take one of its "
                f"{len(document)} pages, and a width above 0."
            )
        page = document[place.page - 1]
        try:
            return _drawn(page, place, width, len(document))
        finally:
            page.close()


def _drawn(page: pypdfium2.PdfPage, place: PlaceOnPage, width: int, pages: int) -> PageImage:
    wide, high = page.get_size()  # in points, turned as the page is
    scale = min(width / wide, (_MAX_PIXELS / (wide * high)) ** 0.5)
    bitmap = page.render(scale=scale)
    try:
        file = io.BytesIO()
        bitmap.to_pil().save(file, "PNG")
        size = (int(bitmap.width), int(bitmap.height))
    finally:
        bitmap.close()
    found = tuple(_on_picture(page, box, size) for box in _marked(page, place))
    return PageImage(file.getvalue(), *size, found, pages)


def _marked(page: pypdfium2.PdfPage, place: PlaceOnPage) -> list[Box]:
    found = paragraphs(page)
    if not 1 <= place.paragraph <= len(found):
        return []
    return boxes(page, found[place.paragraph - 1].indexes[place.start : place.end])


def _on_picture(page: pypdfium2.PdfPage, box: Box, size: tuple[int, int]) -> Box:
    left, bottom, right, top = box
    (x1, y1), (x2, y2) = (_pixel(page, corner, size) for corner in ((left, top), (right, bottom)))
    return (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))


def _pixel(
    page: pypdfium2.PdfPage, point: tuple[float, float], size: tuple[int, int]
) -> tuple[float, float]:
    x, y = ctypes.c_int(), ctypes.c_int()
    raw.FPDF_PageToDevice(page, 0, 0, *size, 0, *point, ctypes.byref(x), ctypes.byref(y))
    return float(x.value), float(y.value)
