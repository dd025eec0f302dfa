"""PowerPoint files changed in place: shapes, tables and notes. The format tracks no changes."""

from collections.abc import Iterator
from copy import deepcopy

from lxml import etree

from archipel.documents.blocks import Anchor, Unread
from archipel.documents.editing.packed import held, parts_of, related, repacked, root_of
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

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_MAIN = ("presentation.main", "slideshow.main", "template.main")
_KINDS = ("slide", "notesSlide")
_NOTHING = (f"{_A}pPr", f"{_A}endParaRPr")
_UNSEEN = ("lang", "altLang", "dirty", "err", "noProof", "smtClean", "smtId")
_LEFT = {"chart": "chart", "diagramData": "diagram"}


class SlidesFile:
    """An `Editable` (`stretches.py`) of a pptx."""

    def __init__(self, name: str, data: bytes) -> None:
        """
        Raises:
            DocumentUnsupported: it is in the strict variant of the format.
        """
        self._data = data
        self._parts: dict[str, etree._Element] = {}
        self._lines: list[Line] = []
        self.stretches: list[Stretch] = []
        for number, part, kind in _slides(data):
            root = root_of(data, part, _P, name, "PowerPoint file (pptx)")
            self._parts[part] = root
            self._read(root, number, "notes" if kind == "notesSlide" else None)
        drawn = [kind for _, kind in parts_of(data, tuple(_LEFT))]
        self.left = [Unread(Anchor(), _LEFT[kind]) for kind in drawn]

    def changed(self, changes: Changes, author: Author | None) -> bytes:
        """See `Editable`; never tracked."""
        touched = changed_roots(self._lines, self.stretches, changes, _put)
        return repacked(self._data, {p: root for p, root in self._parts.items() if root in touched})

    def _read(self, root: etree._Element, slide: int, shape: str | None) -> None:
        for paragraph in root.iter(f"{_A}p"):
            anchor = Anchor(slide=slide, shape=shape or _shape(paragraph))
            for line in _lines(paragraph):
                stretch = stretch_of(line, anchor, _look)
                if has_words(stretch.text):
                    self._lines.append(line)
                    self.stretches.append(stretch)


def _put(line: Line, stretch: Stretch, change: Change) -> None:
    rebuilt(line, steps(stretch, change), _made)


def _lines(paragraph: etree._Element) -> list[Line]:
    """The paragraph's lines; fields, such as the slide's number, are no text."""
    lines: list[list[Atom]] = [[]]
    for child in paragraph:
        text = child.findtext(f"{_A}t") or ""
        if child.tag == f"{_A}br":
            lines.append([])
        elif child.tag == f"{_A}r":
            lines[-1] += [Atom(child, child, text)] if text else []
        elif child.tag not in _NOTHING:
            lines[-1].append(Atom(child, child))
    return list(lines)


def _made(piece: Piece) -> etree._Element | None:
    """The run that takes a piece's place."""
    if piece.kind == "delete":
        return None
    run = deepcopy(piece.run)
    run.find(f"{_A}t").text = held(piece.text)
    return run


def _look(run: etree._Element) -> object:
    """What is seen of a run's format, and where it links to."""
    format = run.find(f"{_A}rPr")
    if format is None:
        return ()
    seen = sorted((key, value) for key, value in format.attrib.items() if key not in _UNSEEN)
    return (*seen, *(etree.tostring(child, with_tail=False) for child in format))


def _shape(paragraph: etree._Element) -> str | None:
    """What the shape that it is in is called."""
    for holder in paragraph.iterancestors(f"{_P}sp", f"{_P}graphicFrame"):
        for named in holder.iter(f"{_P}cNvPr"):
            return str(named.get("name"))
    return None


def _slides(data: bytes) -> Iterator[tuple[int, str, str]]:
    """The slides as they are shown, each before its notes: its number, the part, and its kind."""
    kinds = dict(parts_of(data, _KINDS))
    for main, _ in parts_of(data, _MAIN):
        parts = related(data, main)
        order = parse_xml(entry_bytes(data, main) or b"").iter(f"{_P}sldId")
        for number, slide in enumerate((parts.get(one.get(_R), "") for one in order), 1):
            notes = (part for part in related(data, slide).values() if kinds.get(part) == _KINDS[1])
            yield from ((number, part, kinds[part]) for part in (slide, *notes) if part in kinds)
