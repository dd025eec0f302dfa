"""PDFs: paragraphs with their page and box; what is set larger than the rest is a heading."""

import pypdfium2
from pypdfium2 import raw

from archipel.documents.blocks import Anchor, Box
from archipel.documents.collector import Collector, too_large
from archipel.documents.formats.pdf_page import Paragraph, paragraphs
from archipel.errors import DocumentCorrupt, DocumentLocked, DocumentScanned

_HEADING_CHARACTERS = 160
_HEADING_RATIO, _TITLE_RATIO = 1.15, 1.6  # to the height of most of the text


def open_pdf(name: str, data: bytes) -> pypdfium2.PdfDocument:
    """The PDF in `data`, which the caller closes.

    Raises:
        DocumentLocked: it opens with a password only.
        DocumentCorrupt: it is no PDF, or damaged.
    """
    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code == raw.FPDF_ERR_PASSWORD:
            raise DocumentLocked(
                f"{name!r} has a password. Save a copy without it, and add that."
            ) from error
        raise DocumentCorrupt(
            f"{name!r} is a damaged PDF ({error}). Fetch it again, or print it to a new PDF."
        ) from error


def read_pdf(data: bytes, out: Collector) -> None:
    """Page after page; pages without text are named in what was not read.

    Raises:
        DocumentLocked, DocumentCorrupt: it can't be opened.
        DocumentScanned: no page has any text.
        DocumentTooLarge: there are more pages than the limits allow.
    """
    with open_pdf(out.name, data) as document:
        if len(document) > out.limits.pages:
            raise too_large(out.name, f"{out.limits.pages:,} pages")
        pages = [_page(document, number) for number in range(len(document))]
        title = document.get_metadata_dict().get("Title", "").strip()
    if not any(pages):
        raise DocumentScanned(
            f"{out.name!r} has {len(pages)} pages and no text in them: they are pictures. Put it "
            "through text recognition (OCR), and add the result."
        )
    usual = _usual_height(pages)
    for number, page in enumerate(pages, 1):
        if not page:
            out.leave_out(Anchor(page=number), "picture")
        for place, paragraph in enumerate(page, 1):
            anchor = Anchor(page=number, box=_rounded(paragraph.box), paragraph=place)
            _add(paragraph, anchor, usual, out)
    out.title = out.title or title


def _page(document: pypdfium2.PdfDocument, number: int) -> list[Paragraph]:
    page = document[number]
    try:
        return paragraphs(page)
    finally:
        page.close()


def _add(paragraph: Paragraph, anchor: Anchor, usual: float, out: Collector) -> None:
    ratio = paragraph.height / usual if usual else 1.0
    if ratio >= _HEADING_RATIO and len(paragraph.text) <= _HEADING_CHARACTERS:
        out.heading(1 if ratio >= _TITLE_RATIO else 2, paragraph.text, anchor)
    else:
        out.add(paragraph.text, anchor)


def _usual_height(pages: list[list[Paragraph]]) -> float:
    """The font's height of most characters, in tenths of a point."""
    characters: dict[float, int] = {}
    for page in pages:
        for paragraph in page:
            height = round(paragraph.height, 1)
            characters[height] = characters.get(height, 0) + len(paragraph.text)
    return max(characters, key=lambda height: characters[height])


def _rounded(box: Box) -> Box:
    left, bottom, right, top = (round(side, 1) for side in box)
    return (left, bottom, right, top)
