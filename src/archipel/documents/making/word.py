"""A Word file of the parts of a text, in the styles that Word has for them."""

import io
from collections.abc import Sequence
from typing import Any

from docx import Document
from docx.document import Document as Docx
from docx.enum.style import WD_STYLE_TYPE
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Pt
from docx.text.paragraph import Paragraph as Line

from archipel.documents.making.parts import (
    LINKS,
    Chart,
    Code,
    Heading,
    Item,
    Paragraph,
    Part,
    Span,
    Spans,
    Table,
)
from archipel.documents.making.word_charts import add_chart

_LISTS = 3  # levels that Word has styles for
_TABLES = ("Light Grid Accent 1", "Table Grid")


def make_docx(parts: Sequence[Part], title: str, template: bytes | None = None) -> bytes:
    """A docx file; with a template its styles, header, footer and page, without its text."""
    document = Document(io.BytesIO(template)) if template else Document()
    _empty(document)
    document.core_properties.title = title
    writer = _Writer(document)
    for part in parts:
        writer.add(part)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


class _Writer:
    def __init__(self, document: Docx) -> None:
        self._document = document
        self._numbers: dict[int, int] = {}  # of each level of numbered lists, the last
        self._lists: dict[int, int] = {}  # and the list in the file's numbering

    def add(self, part: Part) -> None:
        """One part, at the end."""
        if not isinstance(part, Item):
            self._numbers.clear()
        match part:
            case Heading():
                self._line(f"Heading {min(part.level, 9)}", part.spans)
            case Paragraph():
                self._line("Quote" if part.quoted else "Normal", part.spans)
            case Item():
                self._item(part)
            case Code():
                self._code(part.text)
            case Table():
                self._table(part)
            case Chart():
                self._line("Caption", (Span(part.title),))
                add_chart(self._document, part)

    def _line(self, style: str, spans: Spans) -> Line:
        line = self._document.add_paragraph(style=self._named(style))
        for span in spans:
            _add_span(line, span)
        return line

    def _named(self, style: str) -> str | None:
        """The style, if the file has it; else the one that all else has."""
        return style if style in self._document.styles else None

    def _item(self, item: Item) -> None:
        depth = min(item.level, _LISTS - 1) + 1
        kind = "List Bullet" if item.number is None else "List Number"
        line = self._line(kind if depth == 1 else f"{kind} {depth}", item.spans)
        if item.number is None:
            return
        if item.number != self._numbers.get(item.level, -1) + 1:
            self._lists[item.level] = self._new_list(line, item.number)
        self._numbers[item.level] = item.number
        if number := self._lists[item.level]:
            properties = line._p.get_or_add_pPr().get_or_add_numPr()
            properties.get_or_add_ilvl().val = 0
            properties.get_or_add_numId().val = number

    def _new_list(self, line: Line, start: int) -> int:
        """A list of the style's that begins with `start`; 0 where the style has no numbering."""
        style: Any = line.style
        properties = style.element.pPr.numPr if style.element.pPr is not None else None
        if properties is None or properties.numId is None:
            return 0
        numbering: Any = self._document.part.numbering_part.element
        abstract = numbering.num_having_numId(properties.numId.val).abstractNumId.val
        number = numbering.add_num(abstract)
        number.add_lvlOverride(ilvl=0).add_startOverride(start)
        return int(number.numId)

    def _code(self, text: str) -> None:
        styles = self._document.styles
        if "Code" not in styles:
            style = styles.add_style("Code", WD_STYLE_TYPE.PARAGRAPH)
            style.font.name, style.font.size = "Courier New", Pt(9)
            style.paragraph_format.space_after = Pt(0)
        for line in text.split("\n"):
            self._document.add_paragraph(line, "Code")

    def _table(self, table: Table) -> None:
        rows, columns = len(table.rows), len(table.rows[0])
        made = self._document.add_table(rows, columns)
        style = next(filter(None, map(self._named, _TABLES)), None)
        if style:
            made.style = style
        for row, cells in zip(made.rows, table.rows, strict=True):
            for cell, spans in zip(row.cells, cells, strict=False):
                for span in spans:
                    _add_span(cell.paragraphs[0], span)
        head = made.rows[0]._tr.get_or_add_trPr()
        head.append(OxmlElement("w:tblHeader"))  # again on each page
        self._document.add_paragraph()


def _empty(document: Docx) -> None:
    """Take out a template's text; what says how its pages are stays."""
    body = document.element.body
    for child in list(body):
        if child.tag != qn("w:sectPr"):
            body.remove(child)


def _add_span(line: Line, span: Span) -> None:
    run = line.add_run(span.text)
    run.bold, run.italic = span.bold or None, span.italic or None
    run.font.strike = span.struck or None
    if span.code:
        run.font.name = "Courier New"
    if span.link.startswith(LINKS):
        relation = line.part.relate_to(span.link, RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
        link: Any = parse_xml(f'<w:hyperlink {nsdecls("w", "r")} r:id="{relation}"/>')
        run.font.underline = True
        line._p.append(link)
        link.append(run._r)
