"""A page of a PDF as a picture, and words to highlight on it: what is asked and what comes."""

from dataclasses import dataclass

from archipel.documents.blocks import Box


@dataclass(frozen=True, slots=True)
class PlaceOnPage:
    """Characters `start` to `end` of a page's paragraph; page and paragraph begin at 1, and
    paragraph 0 is none."""

    page: int
    paragraph: int = 0
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class PageImage:
    """A PNG, its size in pixels, boxes to highlight (left, top, right, bottom in pixels), and how
    many pages the file has."""

    png: bytes
    width: int
    height: int
    boxes: tuple[Box, ...]
    pages: int
