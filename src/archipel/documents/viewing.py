"""What a viewer shows when a citation is opened: its blocks, marked, among their neighbours.

Knows nothing about screens. A PDF's page is drawn by `reading.draw_page` at `place_on_page`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from archipel.documents.blocks import Block
from archipel.documents.citations import Span
from archipel.documents.library import Library, Scope
from archipel.documents.pages import PlaceOnPage

_NEIGHBOURS = 4


@dataclass(frozen=True, slots=True)
class Shown:
    """A block of the document, at `place` from 0, and the starts and ends in its text to mark."""

    place: int
    block: Block
    marks: tuple[tuple[int, int], ...]


def open_citation(
    library: Library,
    scopes: Sequence[Scope],
    document: int,
    spans: Sequence[Span],
    neighbours: int = _NEIGHBOURS,
) -> list[Shown]:
    """The blocks of the spans, and `neighbours` before and after them, in the document's order.

    Empty when the document is gone or not within the scopes.

    Raises:
        DatabaseError: the library can't be read.
    """
    if not spans:
        return []
    first = min(span.block for span in spans) - neighbours
    last = max(span.block for span in spans) + neighbours
    return [
        Shown(place, block, _marks(spans, place, len(block.text)))
        for place, block in library.blocks(scopes, document, first, last)
    ]


def place_on_page(span: Span) -> PlaceOnPage | None:
    """Where a span is on a PDF's page; None for other kinds, and for a PDF within a message."""
    anchor = span.anchor
    if anchor.page is None or anchor.paragraph is None or anchor.part:
        return None
    return PlaceOnPage(anchor.page, anchor.paragraph, span.start, span.end)


def _marks(spans: Sequence[Span], place: int, length: int) -> tuple[tuple[int, int], ...]:
    marks = (
        (min(span.start, length), min(span.end, length)) for span in spans if span.block == place
    )
    return tuple(sorted(mark for mark in marks if mark[0] < mark[1]))
