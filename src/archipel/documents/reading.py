"""Read a document, or draw a page of it, in a process apart. Knows nothing about formats."""

import base64
from dataclasses import asdict
from pathlib import Path

from archipel.documents.blocks import Block, Document, Limits, Unread
from archipel.documents.pages import PageImage, PlaceOnPage
from archipel.documents.process import answers_of, order_on


async def read_document(path: Path, name: str, limits: Limits | None = None) -> Document:
    """Read the file at `path`, which the person knows as `name`; its suffix counts, not the path's.

    Raises:
        ConfigError: the file can't be opened.
        DocumentError: of the kind that says why it can't be read.
    """
    limits = limits or Limits()
    order = order_on(path, name, limits)
    blocks: list[Block] = []
    async with answers_of(order, limits) as answers:
        async for answer in answers:
            if "block" in answer:
                blocks.append(Block.from_json(answer["block"]))
            else:
                end = answer["document"]
    unread = tuple(Unread.from_json(value) for value in end["unread"])
    return Document(str(end["title"]), str(end["language"]), tuple(blocks), unread)


async def draw_page(
    path: Path, name: str, place: PlaceOnPage, width: int, limits: Limits | None = None
) -> PageImage:
    """A page of a PDF, `width` pixels wide (4 million pixels at most), with boxes to highlight.

    Raises:
        ConfigError: the file can't be opened, or has no such page.
        DocumentError: of the kind that says why it can't be read.
    """
    limits = limits or Limits()
    order = order_on(path, name, limits) | {"place": asdict(place), "width": width}
    async with answers_of(order, limits) as answers:
        async for answer in answers:
            drawn = answer
    boxes = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in drawn["boxes"])
    size = (drawn["width"], drawn["height"])
    return PageImage(base64.b64decode(drawn["png"]), *size, boxes, drawn["pages"])
