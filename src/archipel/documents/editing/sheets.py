"""Excel files changed in place: words in cells. Formulas, numbers, formats and names stay.

What a formula or a table may go by is left: renamed, it would no longer be found. The format tracks
no changes that today's programs accept or refuse.
"""

import re
from collections.abc import Iterable, Iterator
from copy import deepcopy

from lxml import etree

from archipel.documents.blocks import Anchor, Unread
from archipel.documents.editing.packed import parts_of, related, repacked, root_of, set_text
from archipel.documents.editing.rewording import steps
from archipel.documents.editing.runs import (
    Atom,
    Line,
    Piece,
    changed_roots,
    has_words,
    rebuilt,
    stretch_of,
)
from archipel.documents.editing.stretches import Author, Change, Changes, Stretch
from archipel.documents.formats.package import entry_bytes, parse_xml

_S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_DRAWN = ".//{http://schemas.openxmlformats.org/drawingml/2006/main}t"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_WORKBOOK = "xl/workbook.xml"
_BEFORE_COMPUTING = tuple(
    f"{_S}{name}" for name in ("sheets", "functionGroups", "externalReferences", "definedNames")
)
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_NAMING = ("tableColumn", "filter", "customFilter", "f", "formula", "formula1", "formula2")
_KINDS = ("sharedStrings", "worksheet", "table", "chart", "comments", "drawing")
_LEFT = ("chart", "comments", "drawing")


class SheetsFile:
    """An `Editable` (`stretches.py`) of an xlsx."""

    def __init__(self, name: str, data: bytes) -> None:
        """
        Raises:
            DocumentUnsupported: it is in the strict variant of the format.
        """
        self._data = data
        self._parts: dict[str, etree._Element] = {}
        self._lines: list[Line] = []
        self.stretches: list[Stretch] = []
        self.left: list[Unread] = []
        kinds = dict(parts_of(data, _KINDS))
        root_of(data, _WORKBOOK, _S, name, "Excel workbook (xlsx)")
        roots = {part: parse_xml(entry_bytes(data, part) or b"") for part in kinds}
        self._parts = {part: roots[part] for part in kinds if kinds[part] in _KINDS[:2]}
        named = frozenset(_names(roots.values()))
        shared = [
            r
            for part, root in roots.items()
            if kinds[part] == _KINDS[0]
            for r in root.iterchildren(f"{_S}si")
        ]
        seen: set[int] = set()
        for part, title in _sheets(data):
            for cell in roots[part].iter(f"{_S}c") if part in roots else ():
                self._read(cell, Anchor(sheet=title, cells=cell.get("r")), shared, seen, named)
        self.left += [
            Unread(Anchor(), kind)
            for part, kind in kinds.items()
            if kind in _LEFT and (kind != "drawing" or roots[part].find(_DRAWN) is not None)
        ]

    def changed(self, changes: Changes, author: Author | None) -> bytes:
        """See `Editable`; never tracked."""
        touched = changed_roots(self._lines, self.stretches, changes, _put)
        forgotten = list(filter(_forget_texts, self._parts.values())) if touched else []
        touched.update(forgotten)
        parts = {part: root for part, root in self._parts.items() if root in touched}
        if forgotten:
            parts[_WORKBOOK] = _recomputed(self._data)
        return repacked(self._data, parts)

    def _read(
        self,
        cell: etree._Element,
        anchor: Anchor,
        shared: list[etree._Element],
        seen: set[int],
        named: frozenset[str],
    ) -> None:
        """A cell's words, the first time that they are met: cells with the same share them."""
        if cell.find(f"{_S}f") is not None:
            return
        item = cell.find(f"{_S}is") if cell.get("t") == "inlineStr" else None
        if cell.get("t") == "s" and (value := cell.findtext(f"{_S}v") or "").isdecimal():
            if int(value) in seen or int(value) >= len(shared):
                return
            seen.add(int(value))
            item = shared[int(value)]
        if item is None:
            return
        stretch = stretch_of(line := _line(item), anchor, _look)
        if not has_words(stretch.text):
            return
        if stretch.text.casefold() in named:
            self.left.append(Unread(anchor, "named"))
            return
        self._lines.append(line)
        self.stretches.append(stretch)


def _forget_texts(root: etree._Element) -> bool:
    """Take out the texts that formulas resulted in, as they have the old words; whether there are
    any. LibreOffice computes what lacks, Excel what it is told to."""
    cells = [formula.getparent() for formula in root.iter(f"{_S}f")]
    stale = [value for cell in cells if cell.get("t") == "str" for value in cell.iter(f"{_S}v")]
    for value in stale:
        value.getparent().remove(value)
    return bool(stale)


def _put(line: Line, stretch: Stretch, change: Change) -> None:
    if line[0].first.tag == f"{_S}t":
        set_text(line[0].first, change.text)
    else:
        rebuilt(line, steps(stretch, change), _made)


def _line(item: etree._Element) -> Line:
    """The text of a cell: one, or runs with a look each."""
    texts = [child for child in item if child.tag in (f"{_S}t", f"{_S}r")]
    pairs = [(one, one.text if one.tag == f"{_S}t" else one.findtext(f"{_S}t")) for one in texts]
    return [Atom(one, one, text) for one, text in pairs if text]


def _made(piece: Piece) -> etree._Element | None:
    """The run that takes a piece's place."""
    if piece.kind == "delete":
        return None
    run = deepcopy(piece.run)
    set_text(run.find(f"{_S}t"), piece.text)
    return run


def _look(text: etree._Element) -> object:
    """What is seen of a run's format."""
    formats = (child for format in text.iterchildren(f"{_S}rPr") for child in format)
    return tuple(sorted(etree.tostring(child, with_tail=False) for child in formats))


def _sheets(data: bytes) -> Iterator[tuple[str, str]]:
    """The sheets' parts in the workbook's order, each with what it is called."""
    parts = related(data, _WORKBOOK)
    for sheet in parse_xml(entry_bytes(data, _WORKBOOK) or b"").iter(f"{_S}sheet"):
        yield parts.get(sheet.get(_R), ""), sheet.get("name")


def _recomputed(data: bytes) -> etree._Element:
    """The workbook, told to compute its formulas when it is opened."""
    workbook = parse_xml(entry_bytes(data, _WORKBOOK) or b"")
    told = workbook.find(f"{_S}calcPr")
    if told is None:
        told = etree.Element(f"{_S}calcPr")
        [child for child in workbook if child.tag in _BEFORE_COMPUTING][-1].addnext(told)
    told.set("fullCalcOnLoad", "1")
    return workbook


def _names(roots: Iterable[etree._Element]) -> Iterator[str]:
    """What formulas, filters, lists of choices and tables know words by, in small letters."""
    for root in roots:
        for element in root.iter(*(f"{{*}}{name}" for name in _NAMING)):
            if element.tag == f"{_S}tableColumn":
                yield element.get("name", "").casefold()
            elif element.tag in (f"{_S}filter", f"{_S}customFilter"):
                yield element.get("val", "").casefold()
            else:
                for quoted in _QUOTED.findall(element.text or ""):
                    yield from (word.strip().casefold() for word in (quoted, *quoted.split(",")))
