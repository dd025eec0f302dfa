"""One page of a PDF as paragraphs, each character with its index on the page.

A page gives the same paragraphs each time, so that an anchor's number finds its own again.
"""

import ctypes
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import pypdfium2
from pypdfium2 import raw

from archipel.documents.blocks import Box

_HYPHENS = frozenset((0x02, 0xFFFE))  # how PDFium marks a word that is cut at a line's end
_BLANKS = frozenset(" \t\n\r\v\f")


@dataclass(slots=True)
class _Line:
    """`characters` are (character, index on the page); `height` is the font's, in points."""

    characters: list[tuple[str, int]]
    box: Box
    height: float
    cut_word: bool


@dataclass(slots=True)
class Paragraph:
    """Text, the page's index of each of its characters, its box and its font's height in points."""

    text: str
    indexes: list[int]
    box: Box
    height: float


def paragraphs(page: pypdfium2.PdfPage) -> list[Paragraph]:
    """The page's paragraphs, in the order of the file."""
    text = page.get_textpage()
    try:
        lines = list(_lines(text))
        groups: list[list[_Line]] = []
        for line in lines:
            if groups and _continues(groups[-1], line):
                groups[-1].append(line)
            else:
                groups.append([line])
        found = [_joined(group) for group in groups]
        return [paragraph for paragraph in found if paragraph.text]
    finally:
        text.close()


def boxes(page: pypdfium2.PdfPage, indexes: list[int]) -> list[Box]:
    """The boxes around characters of the page, one for each stretch on a line, in points."""
    text = page.get_textpage()
    try:
        found: list[Box] = []
        for first, last in _runs(indexes):
            for number in range(text.count_rects(first, last - first + 1)):
                found.append(text.get_rect(number))
        return found
    finally:
        text.close()


def _lines(text: pypdfium2.PdfTextPage) -> Iterator[_Line]:
    characters: list[tuple[str, int]] = []
    cut = False
    for index, code in enumerate(_codes(text)):
        if code in (0x0A, 0x0D):
            if characters:
                yield _line(text, characters, cut)
            characters, cut = [], False
        elif code in _HYPHENS:
            cut = True
        elif code and not 0xD800 <= code < 0xE000:
            characters.append((chr(code), index))
            cut = False
    if characters:
        yield _line(text, characters, cut)


def _codes(text: pypdfium2.PdfTextPage) -> Iterator[int]:
    """Each character's code point; the halves of a pair come as the pair and 0."""
    count, page = text.count_chars(), text.raw
    high = 0
    for index in range(count):
        code = raw.FPDFText_GetUnicode(page, index)
        if 0xD800 <= code < 0xDC00 and index + 1 < count:
            high = code
            yield 0
        elif 0xDC00 <= code < 0xE000 and high:
            yield 0x10000 + ((high - 0xD800) << 10) + code - 0xDC00
            high = 0
        else:
            yield code


def _line(text: pypdfium2.PdfTextPage, characters: list[tuple[str, int]], cut: bool) -> _Line:
    first, last = characters[0][1], characters[-1][1]
    rectangles = [text.get_rect(n) for n in range(text.count_rects(first, last - first + 1))]
    heights = [_font_height(text, index) for char, index in characters[:40] if char not in _BLANKS]
    height = statistics.median(heights) if heights else 0.0
    return _Line(characters, _around(rectangles), height, cut)


def _font_height(text: pypdfium2.PdfTextPage, index: int) -> float:
    box = raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(text.raw, index, ctypes.byref(box))
    return abs(float(box.top) - float(box.bottom))


def _continues(group: list[_Line], line: _Line) -> bool:
    """Whether a line belongs to the paragraph of the lines before it, by distance and size.

    A line of prose follows its neighbour at 1 to 1.5 heights of its font; 1.65 is between that and
    an empty line.
    """
    before = group[-1]
    height = max(before.height, line.height)
    if height <= 0 or abs(before.height - line.height) > 0.12 * height:
        return False
    fall = before.box[3] - line.box[3]
    if abs(fall) < 0.5 * height:  # further on in the same line, as in a table
        return True
    if fall < 0 or fall > 1.65 * height:
        return False
    left, right = min(one.box[0] for one in group), max(one.box[2] for one in group)
    is_indented = len(group) > 1 and line.box[0] > group[-1].box[0] + height
    is_short = before.box[2] < left + 0.75 * (right - left) and _ends_sentence(before)
    return not (is_indented or is_short)


def _ends_sentence(line: _Line) -> bool:
    return "".join(char for char, _ in line.characters).rstrip().endswith((".", "!", "?", ":"))


def _joined(lines: list[_Line]) -> Paragraph:
    """Lines as one: a blank between them, none where a word was cut; runs of blanks are one."""
    characters: list[str] = []
    indexes: list[int] = []
    for line in lines:
        for char, index in line.characters:
            char = " " if char in _BLANKS else char
            if char != " " or (characters and characters[-1] != " "):
                characters.append(char)
                indexes.append(index)
        if not line.cut_word and characters and characters[-1] != " ":
            characters.append(" ")
            indexes.append(line.characters[-1][1])
    if characters and characters[-1] == " ":
        characters.pop()
        indexes.pop()
    box = _around([line.box for line in lines])
    return Paragraph("".join(characters), indexes, box, lines[0].height)


def _around(rectangles: list[Box]) -> Box:
    if not rectangles:
        return (0.0, 0.0, 0.0, 0.0)
    left, bottom, right, top = zip(*rectangles, strict=True)
    return (min(left), min(bottom), max(right), max(top))


def _runs(indexes: list[int]) -> Iterator[tuple[int, int]]:
    """Stretches of indexes that follow each other, but for what a line's end puts between."""
    first = last = None
    for index in indexes:
        if first is None or last is None:
            first = last = index
        elif index > last + 3 or index < last:
            yield first, last
            first = last = index
        else:
            last = index
    if first is not None and last is not None:
        yield first, last
