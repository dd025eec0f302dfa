"""Word files changed in place, with changes that Word and LibreOffice accept or refuse one by one.

Edited are the paragraphs of the body, its tables and text boxes, of headers, footers and notes.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count

from lxml import etree

from archipel.documents.blocks import Anchor, Unread
from archipel.documents.editing.packed import parts_of, repacked, root_of, set_text
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

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_KINDS = ("document.main", "header", "footer", "footnotes", "endnotes")
_LEFT = {"chart": "chart", "diagramData": "diagram", "comments": "comments"}
_TRACKED = ("ins", "del", "moveFrom", "moveTo", "rPrChange")
_HOLDERS = frozenset(f"{W}{name}" for name in ("hyperlink", "sdt", "sdtContent", *_TRACKED[:4]))
_WRAPPERS = frozenset(f"{W}{name}" for name in ("smartTag", "customXml", "dir", "bdo"))
_NOTHING = frozenset(
    f"{W}{name}"
    for name in (
        *("pPr", "rPr", "sdtPr", "sdtEndPr", "smartTagPr", "customXmlPr", "lastRenderedPageBreak"),
        *("bookmarkStart", "bookmarkEnd", "proofErr", "permStart", "permEnd"),
        *("commentRangeStart", "commentRangeEnd"),
    )
)
_BREAKS = frozenset(f"{W}{name}" for name in ("tab", "br", "cr", "ptab"))
_UNSEEN = frozenset(f"{W}{name}" for name in ("lang", "noProof"))
_NSMAP = {"w": W[1:-1]}


class WordFile:
    """An `Editable` (`stretches.py`) of a docx."""

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
        for part, kind in parts_of(data, _KINDS):
            root = root_of(data, part, W, name, "Word document (docx)")
            self._parts[part] = root
            self._read(root, () if kind == _KINDS[0] else (kind,))
        self.left += [Unread(Anchor(), _LEFT[kind]) for _, kind in parts_of(data, tuple(_LEFT))]

    def changed(self, changes: Changes, author: Author | None) -> bytes:
        """See `Editable`: tracked if there is an author."""
        make = _Maker(author, count(max(map(_highest, self._parts.values()), default=0) + 1))

        def put(line: Line, stretch: Stretch, change: Change) -> None:
            rebuilt([_alone(atom) for atom in line], steps(stretch, change), make)

        touched = changed_roots(self._lines, self.stretches, changes, put)
        return repacked(self._data, {p: root for p, root in self._parts.items() if root in touched})

    def _read(self, root: etree._Element, part: tuple[str, ...]) -> None:
        reader = _Reader()
        for number, paragraph in enumerate(root.iter(f"{W}p"), 1):
            anchor = Anchor(paragraph=number, part=part)
            lines = reader.lines(paragraph)
            self.left += [Unread(anchor, reason) for reason in reader.told()]
            if _has_tracked(paragraph):
                self.left.append(Unread(anchor, "tracked"))
                continue
            for line in lines:
                stretch = stretch_of(line, anchor, _look)
                if has_words(stretch.text):
                    self._lines.append(line)
                    self.stretches.append(stretch)


@dataclass
class _Reader:
    """Lines of paragraphs, one paragraph after another: a field may begin in one and end in a
    later one."""

    depth: int = 0  # of fields in fields, where we are
    begin: etree._Element | None = None  # where the outermost begins
    code: str = ""  # what it says it is
    shows: bool = False  # we are in what it shows, no more in its code
    shown: list[Atom] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def lines(self, paragraph: etree._Element) -> list[Line]:
        """The paragraph's lines: between tabs and breaks; what a link shows is one of its own."""
        self.begin = None
        found: list[Line] = []
        if any(map(_is_filled, paragraph.iterancestors(f"{W}sdt"))):
            self.reasons.append("filled")
        else:
            self._walk(paragraph, found)
        return found

    def told(self) -> list[str]:
        """Why something of the last paragraph is in no line."""
        reasons, self.reasons = self.reasons, []
        return reasons

    def _walk(self, holder: etree._Element, found: list[Line]) -> None:
        line: list[Atom] = []
        for child in _flat(holder):
            if child.tag == f"{W}r":
                for part in child:
                    self._part(part, line, found)
                continue
            if not self.depth and child.tag not in _NOTHING:
                line.append(Atom(child, child))
            if _is_filled(child):
                self.reasons.append("filled")
            elif child.tag in _HOLDERS:
                self._walk(child, found)
        found.append(line)

    def _part(self, part: etree._Element, line: list[Atom], found: list[Line]) -> None:
        """A part of a run."""
        if self.depth or part.tag == f"{W}fldChar":
            self._field(part, line, found)
        elif part.tag == f"{W}t":
            line += [Atom(part, part, part.text)] if part.text else []
        elif part.tag in _BREAKS:
            found.append(list(line))
            line.clear()
        elif part.tag not in _NOTHING:
            line.append(Atom(part, part))

    def _field(self, part: etree._Element, line: list[Atom], found: list[Line]) -> None:
        """A part of a run that is of a field."""
        kind = part.get(f"{W}fldCharType") if part.tag == f"{W}fldChar" else None
        if kind == "begin":
            self.depth += 1
            if self.depth == 1:
                self.begin, self.code, self.shows, self.shown = part, "", False, []
        elif kind == "separate":
            self.shows |= self.depth == 1
        elif kind == "end":
            self.depth = max(self.depth - 1, 0)
            if not self.depth:
                line.append(Atom(part if self.begin is None else self.begin, part))
                self._show(found)
        elif part.tag == f"{W}instrText" and self.depth == 1:
            self.code += part.text or ""
        elif part.tag == f"{W}t" and part.text and self.depth == 1 and self.shows:
            self.shown.append(Atom(part, part, part.text))

    def _show(self, found: list[Line]) -> None:
        """A link's words are a line; what Word computes is not."""
        kind = self.code.split()[:1]
        if kind == ["HYPERLINK"]:
            found.append(self.shown)
        elif kind in (["TOC"], ["INDEX"]):
            self.reasons.append("computed")


@dataclass(frozen=True)
class _Maker:
    """Makes of a piece of text the run that takes its place."""

    author: Author | None
    numbers: Iterator[int]

    def __call__(self, piece: Piece) -> etree._Element | None:
        if piece.kind == "keep":
            return _run_of(piece, "t")
        if self.author is None:
            return None if piece.kind == "delete" else _run_of(piece, "t")
        kind, text = ("del", "delText") if piece.kind == "delete" else ("ins", "t")
        told = {"id": str(next(self.numbers)), "author": self.author.name, "date": self.author.date}
        tracked = etree.Element(f"{W}{kind}", {f"{W}{k}": v for k, v in told.items()}, nsmap=_NSMAP)
        tracked.append(_run_of(piece, text))
        return tracked


def _run_of(piece: Piece, kind: str) -> etree._Element:
    run = _run_like(piece.run)
    set_text(etree.SubElement(run, f"{W}{kind}"), piece.text)
    return run


def _run_like(run: etree._Element) -> etree._Element:
    """A run with the same format, and nothing else in it."""
    other = etree.Element(f"{W}r", dict(run.attrib), nsmap=_NSMAP)
    other.extend([deepcopy(format) for format in run.iterchildren(f"{W}rPr")])
    return other


def _alone(atom: Atom) -> Atom:
    """What is in runs with more before and behind it, in runs of its own; other atoms as they
    are."""
    first, last = atom.first.getparent(), atom.last.getparent()
    if first.tag != f"{W}r":
        return atom
    at, behind = first.index(atom.first), last.index(atom.last) + 1
    before = [child for child in first[:at] if child.tag != f"{W}rPr"]
    for others, run, put in (
        (before, first, first.addprevious),
        (last[behind:], last, last.addnext),
    ):
        if others:
            other = _run_like(run)
            other.extend(others)
            put(other)
    return Atom(first, last, atom.text)


def _look(text: etree._Element) -> object:
    """What is seen of a text's format; what spelling checkers note there is not."""
    seen = [one for one in text.itersiblings(f"{W}rPr", preceding=True)]
    formats = [child for one in seen for child in one if child.tag not in _UNSEEN]
    return tuple(sorted(etree.tostring(child, with_tail=False) for child in formats))


def _flat(holder: etree._Element) -> Iterator[etree._Element]:
    """Its children, and of those that only tell something about theirs, these."""
    for child in holder:
        if child.tag in _WRAPPERS:
            yield from _flat(child)
        elif isinstance(child.tag, str):  # no comment
            yield child


def _is_filled(element: etree._Element) -> bool:
    """Whether it is a content control that takes what it shows from elsewhere."""
    if element.tag != f"{W}sdt":
        return False
    told = element.find(f"{W}sdtPr")
    kinds = (f"{W}dataBinding", f"{W}dropDownList")
    return told is not None and any(child.tag in kinds for child in told)


def _has_tracked(paragraph: etree._Element) -> bool:
    """Whether anything in it was put in, taken out, moved or formatted otherwise and awaits a word;
    or its row was put in or taken out."""
    own = paragraph.iter(*(f"{W}{name}" for name in _TRACKED))
    if any(next(found.iterancestors(f"{W}p")) is paragraph for found in own):
        return True
    rows = (row.find(f"{W}trPr") for row in paragraph.iterancestors(f"{W}tr"))
    return any(
        row.find(f"{W}{name}") is not None
        for row in rows
        if row is not None
        for name in _TRACKED[:2]
    )


def _highest(root: etree._Element) -> int:
    """The highest number that anything in it has."""
    numbers = (element.get(f"{W}id", "") for element in root.iter("{*}*"))
    return max((int(number) for number in numbers if number.isdecimal()), default=0)
