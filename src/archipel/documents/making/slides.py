"""A PowerPoint file of the parts of a text: a slide under each heading."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pptx import Presentation
from pptx.enum.shapes import PP_PLACEHOLDER
from pptx.util import Emu, Pt

from archipel.documents.making.charts import KINDS, chart_data, has_legend
from archipel.documents.making.parts import (
    LINKS,
    Chart,
    Code,
    Heading,
    Item,
    Part,
    Span,
    Spans,
    Table,
    plain,
)

_LINES = 8  # of text on a slide
_CHARACTERS = 700
_LEVELS = 5
_TITLES = (PP_PLACEHOLDER.TITLE, PP_PLACEHOLDER.CENTER_TITLE)
_BODIES = (PP_PLACEHOLDER.BODY, PP_PLACEHOLDER.OBJECT)


@dataclass
class _Slide:
    """A slide to be: lines with their levels, or one table or chart."""

    title: str
    lines: list[tuple[int, Spans]] = field(default_factory=list)
    shown: Table | Chart | None = None

    @property
    def is_full(self) -> bool:
        """Whether no more lines go on it."""
        characters = sum(len(plain(spans)) for _, spans in self.lines)
        return len(self.lines) >= _LINES or characters > _CHARACTERS


def make_pptx(parts: Sequence[Part], title: str, template: bytes | None = None) -> bytes:
    """A pptx file; with a template its design, without its slides. The first heading, if nothing
    stands under it, or else `title`, is on a slide of its own."""
    deck = Presentation(io.BytesIO(template)) if template else Presentation()
    _empty(deck)
    slides = list(_planned(parts, title))
    deck.core_properties.title = slides[0].title
    opening = _layout(deck, [PP_PLACEHOLDER.SUBTITLE])
    first = deck.slides.add_slide(opening)
    if first.shapes.title is not None:
        first.shapes.title.text = slides[0].title
    for slide in slides[1:]:
        _add(deck, slide)
    file = io.BytesIO()
    deck.save(file)
    return file.getvalue()


def _planned(parts: Sequence[Part], title: str) -> Iterator[_Slide]:
    """The slides: that of the title, then one under each heading, or several where it is full."""
    named = isinstance(parts[0], Heading)
    opening = plain(parts[0].spans) if isinstance(parts[0], Heading) else title
    yield _Slide(opening)
    slide = _Slide(opening)
    for part in parts[named:]:
        if isinstance(part, Heading):
            if slide.lines:
                yield slide
            slide = _Slide(plain(part.spans))
        elif isinstance(part, Table | Chart):
            if slide.lines:
                yield slide
            shown = part.title if isinstance(part, Chart) and part.title else slide.title
            yield _Slide(shown, shown=part)
            slide = _Slide(slide.title)
        else:
            if slide.is_full:
                yield slide
                slide = _Slide(slide.title)
            slide.lines += _lines(part)
    if slide.lines:
        yield slide


def _lines(part: Part) -> list[tuple[int, Spans]]:
    if isinstance(part, Code):
        return [(0, (Span(line, code=True),)) for line in part.text.split("\n")]
    level = part.level if isinstance(part, Item) else 0
    assert not isinstance(part, Table | Chart)
    return [(min(level, _LEVELS - 1), part.spans)]


def _add(deck: Any, planned: _Slide) -> None:
    kinds = _BODIES if planned.lines else ()
    slide = deck.slides.add_slide(_layout(deck, kinds))
    if slide.shapes.title is not None:
        slide.shapes.title.text = planned.title
    left, top, wide, high = _room(deck)
    if isinstance(planned.shown, Chart):
        kind, data = KINDS[planned.shown.kind], chart_data(planned.shown)
        drawn = slide.shapes.add_chart(kind, left, top, wide, high, data).chart
        drawn.has_legend = has_legend(planned.shown)
    elif planned.shown is not None:
        _add_table(slide, planned.shown, (left, top, wide))
    else:
        body = next((one for one in slide.placeholders if _kind(one) in _BODIES), None)
        box = body or slide.shapes.add_textbox(left, top, wide, high)
        _fill(box.text_frame, planned.lines)


def _layout(deck: Any, kinds: Sequence[Any]) -> Any:
    """The first layout with a title and something of one of these kinds; without kinds, with a
    title alone. Else the template's first."""
    for layout in deck.slide_layouts:
        found = {_kind(one) for one in layout.placeholders}
        held = found & {PP_PLACEHOLDER.SUBTITLE, *_BODIES}
        if found & set(_TITLES) and (held & set(kinds) if kinds else not held):
            return layout
    return deck.slide_layouts[0]


def _kind(placeholder: Any) -> Any:
    return placeholder.placeholder_format.type


def _room(deck: Any) -> tuple[Emu, Emu, Emu, Emu]:
    """Where things go below a title: left, top, width, height."""
    wide, high = deck.slide_width, deck.slide_height
    return Emu(wide // 12), Emu(high // 4), Emu(wide * 10 // 12), Emu(high * 2 // 3)


def _fill(frame: Any, lines: Sequence[tuple[int, Spans]]) -> None:
    for number, (level, spans) in enumerate(lines):
        paragraph = frame.paragraphs[0] if number == 0 else frame.add_paragraph()
        paragraph.level = level
        _add_spans(paragraph, spans)


def _add_table(slide: Any, table: Table, room: tuple[Emu, Emu, Emu]) -> None:
    rows, columns = len(table.rows), len(table.rows[0])
    shape = slide.shapes.add_table(rows, columns, *room, Pt(24 * rows))
    for number, cells in enumerate(table.rows):
        for place, spans in enumerate(cells):
            _add_spans(shape.table.cell(number, place).text_frame.paragraphs[0], spans)


def _add_spans(paragraph: Any, spans: Spans) -> None:
    for span in spans:
        run = paragraph.add_run()
        run.text = span.text
        run.font.bold, run.font.italic = span.bold or None, span.italic or None
        if span.code:
            run.font.name = "Courier New"
        if span.link.startswith(LINKS):
            run.hyperlink.address = span.link


def _empty(deck: Any) -> None:
    """Take out a template's slides."""
    slides = deck.slides._sldIdLst
    for slide in list(slides):
        deck.part.drop_rel(slide.rId)
        slides.remove(slide)
