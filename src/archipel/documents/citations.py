"""An answer's quotes held against the passages: only what stands there, word for word, is cited.

Knows nothing about models. What differs from the source in more than typography (`normal.py`) loses
its citation mark and is reported.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from archipel.documents.blocks import Anchor
from archipel.documents.normal import Normal, normal
from archipel.documents.passages import Passage
from archipel.documents.prompt import NOT_IN_DOCUMENTS

_NUMBERS = r"\[\s*\d{1,3}(?:\s*[,;]\s*\d{1,3})*\s*\]"
_MARKS = re.compile(rf"\s*{_NUMBERS}(?:\s?{_NUMBERS})*(?!\()")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)
_OPENERS = {"»": "«", "”": "“„", '"': '"“„'}
_QUOTE_CHARACTERS = 2_000
_TRIED_OPENERS = 12
_STOPS = " \u00a0\u202f.,;"
_BETWEEN = _STOPS + "\t\n:!?*_)"  # what may stand between a quote and its mark

_Source = tuple[Sequence[Passage], Sequence[Normal]]


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` of a document's block."""

    block: int
    start: int
    end: int
    anchor: Anchor


@dataclass(frozen=True, slots=True)
class Citation:
    """Words of a document. `quote` is cut from the source by the spans, never from an answer."""

    passage: Passage
    quote: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """`[n]` from `start` to `end` of an answer's text, for the citation of that number (from 1)."""

    start: int
    end: int
    number: int


@dataclass(frozen=True, slots=True)
class Checked:
    """An answer that may be shown: a citation is where `marks` say, and nowhere else.

    `unverified` are the starts and ends in `text` of quotes that no passage holds; their marks, and
    marks without a quote, are gone: `stripped` of them. `absent`: the answer says that the
    documents don't have it, and cites none.
    """

    text: str
    citations: tuple[Citation, ...]
    marks: tuple[Mark, ...]
    unverified: tuple[tuple[int, int], ...]
    stripped: int
    absent: bool


@dataclass(frozen=True, slots=True)
class _Claim:
    """Marks in an answer, and the quote that they stand behind, if there is one."""

    start: int
    end: int
    numbers: tuple[int, ...]
    quote: tuple[int, int] | None = None
    citations: tuple[Citation, ...] = ()


def check_answer(answer: str, passages: Sequence[Passage]) -> Checked:
    """Hold every quote with a number against the passages, the numbered one first."""
    built = _Built(answer)
    for claim in _claims(answer, passages):
        built.take(claim)
    return built.finished()


def _claims(answer: str, passages: Sequence[Passage]) -> list[_Claim]:
    """Marks with their quotes, found from the end: a source may have brackets with numbers too, and
    those within a quote that is verified are no marks."""
    texts = [normal(passage.text) for passage in passages]
    claims: list[_Claim] = []
    marks = _marks(answer)
    while marks:
        mark = marks.pop()
        claim = _with_quote(answer, mark, marks[-1].end if marks else 0, (passages, texts))
        claims.insert(0, claim)
        begin = claim.quote[0] if claim.quote else claim.start
        while marks and marks[-1].end > begin:
            marks.pop()
    return claims


class _Built:
    """An answer as it is put together again."""

    def __init__(self, answer: str) -> None:
        self._answer = answer
        self._done = 0
        self._text = ""
        self._citations: list[Citation] = []
        self._marks: list[Mark] = []
        self._unverified: list[tuple[int, int]] = []
        self._stripped = 0

    def take(self, claim: _Claim) -> None:
        """The answer up to the claim's marks, with the source's own words in the quote."""
        if claim.quote:
            self._copy_to(claim.quote[0])
            start = len(self._text)
            if claim.citations:
                self._text += claim.citations[0].quote
                self._done = claim.quote[1]
            else:
                self._copy_to(claim.quote[1])
                self._unverified.append((start, len(self._text)))
        self._copy_to(claim.start)
        self._done = claim.end
        self._stripped += not claim.citations
        self._text += " " if claim.citations else ""
        for number in dict.fromkeys(self._number(citation) for citation in claim.citations):
            start = len(self._text)
            self._text += f"[{number}]"
            self._marks.append(Mark(start, len(self._text), number))

    def finished(self) -> Checked:
        """What there is when all claims were taken."""
        self._copy_to(len(self._answer))
        said = normal(self._text).text.casefold()
        return Checked(
            self._text,
            tuple(self._citations),
            tuple(self._marks),
            tuple(self._unverified),
            self._stripped,
            not self._citations and any(no in said for no in _ABSENT),
        )

    def _copy_to(self, end: int) -> None:
        self._text += self._answer[self._done : end]
        self._done = end

    def _number(self, citation: Citation) -> int:
        """From 1; the same words of the same document have one number."""
        for number, known in enumerate(self._citations, 1):
            same_document = known.passage.document == citation.passage.document
            if same_document and known.spans == citation.spans:
                return number
        self._citations.append(citation)
        return len(self._citations)


_ABSENT = tuple(normal(no).text.casefold().rstrip(".") for no in NOT_IN_DOCUMENTS.values())


def cite(passage: Passage, start: int, end: int) -> Citation:
    """The citation of characters `start` to `end` of a passage's text."""
    spans: list[Span] = []
    offset = 0
    for part in passage.parts:
        first, last = max(start - offset, 0), min(end - offset, len(part.text))
        if first < last:
            spans.append(Span(part.block, part.start + first, part.start + last, part.anchor))
        offset += len(part.text) + 1
    quote = " ".join(passage.text[start:end].split("\n"))
    return Citation(passage, quote, tuple(spans))


def _marks(answer: str) -> list[_Claim]:
    """Each run of citation marks outside of code."""
    code = [match.span() for match in _CODE.finditer(answer)]
    return [
        _Claim(match.start(), match.end(), tuple(map(int, re.findall(r"\d+", match[0]))))
        for match in _MARKS.finditer(answer)
        if not any(start < match.end() and match.start() < end for start, end in code)
    ]


def _with_quote(answer: str, mark: _Claim, floor: int, source: _Source) -> _Claim:
    """The mark with the quote before it. Quotation marks may stand within a quote, so of the places
    where it may begin the one that gives the longest words of a passage counts; the nearest one,
    behind the mark before it, if none does."""
    before = answer[: mark.start]
    end = len(before.rstrip(_BETWEEN)) - 1
    if end < 0 or before[end] not in _OPENERS:
        return mark
    beginnings = list(_beginnings(before, end))
    for start in reversed(beginnings):
        if citations := _verified(before[start:end], mark.numbers, source):
            return replace(mark, quote=_trimmed(before, start, end), citations=citations)
    if beginnings and beginnings[0] > floor:
        return replace(mark, quote=_trimmed(before, beginnings[0], end))
    return mark


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The range without the blanks inside its ends: French quotation marks have some."""
    words = text[start:end]
    return start + len(words) - len(words.lstrip()), start + len(words.rstrip())


def _beginnings(before: str, end: int) -> Iterator[int]:
    """Where a quote that ends at `end` may begin, the nearest first."""
    openers = _OPENERS[before[end]]
    tried = 0
    for place in range(end - 1, max(end - _QUOTE_CHARACTERS, 0) - 1, -1):
        if before[place] in openers:
            yield place + 1
            tried += 1
            if tried == _TRIED_OPENERS:
                return


def _verified(words: str, numbers: Sequence[int], source: _Source) -> tuple[Citation, ...]:
    """The citations of `words` in the numbered passages; else in the first passage that has them.

    A full stop or comma that the answer put within its quotation marks is no word of the source.
    """
    passages, texts = source
    named = [number - 1 for number in numbers if 1 <= number <= len(passages)]
    for said in dict.fromkeys((words, words.rstrip(_STOPS))):
        quote = normal(said)
        found = [_in(passages[place], texts[place], quote) for place in named]
        if any(found):
            return tuple(citation for citation in found if citation)
        for passage, text in zip(passages, texts, strict=True):
            if citation := _in(passage, text, quote):
                return (citation,)
    return ()


def _in(passage: Passage, text: Normal, quote: Normal) -> Citation | None:
    place = text.find(quote)
    return cite(passage, *place) if place else None
