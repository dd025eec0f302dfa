"""Markdown as the parts of a document, whatever it is to become. Pure.

A table is a chart if it is in a fenced block whose first word is `chart`, then what kind, then the
title; its lines are cells with semicolons between:

    ```chart column Visitors by year
    year;Brest;Nantes
    2024;120;80
    ```
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

from archipel.errors import ConfigError

_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])
LINKS = ("http://", "https://", "mailto:")  # that are made ones in a file
CHARTS = ("column", "bar", "line", "pie")
_CHARACTERS = 2_000_000
_EXAMPLE = "Its lines are `year;Brest;Nantes`, `2024;120;80`."


@dataclass(frozen=True)
class Span:
    """A piece of text with one look."""

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False
    struck: bool = False
    link: str = ""


Spans = tuple[Span, ...]


@dataclass(frozen=True)
class Heading:
    """`level` from 1."""

    level: int
    spans: Spans


@dataclass(frozen=True)
class Paragraph:
    """Text; `quoted` if it is another's."""

    spans: Spans
    quoted: bool = False


@dataclass(frozen=True)
class Item:
    """Of a list; `level` from 0, `number` where the list is numbered."""

    level: int
    number: int | None
    spans: Spans


@dataclass(frozen=True)
class Code:
    """Lines that stay as they are."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows of cells, the first the head; all rows are as long."""

    rows: tuple[tuple[Spans, ...], ...]


@dataclass(frozen=True)
class Chart:
    """Numbers, a series in each column; `names` are the rows'."""

    kind: Literal["column", "bar", "line", "pie"]
    title: str
    names: tuple[str, ...]
    series: tuple[tuple[str, tuple[float, ...]], ...]


Part = Heading | Paragraph | Item | Code | Table | Chart


def read_parts(text: str) -> list[Part]:
    """The parts of a Markdown text, in its order.

    Raises:
        ConfigError: it has none, is too long, or a chart's lines are no numbers.
    """
    if len(text) > _CHARACTERS:
        raise ConfigError(f"the text has {len(text):,} characters; {_CHARACTERS:,} are the most.")
    parts = list(_parts(_PARSER.parse(text)))
    if not parts:
        raise ConfigError("there is no text to make a file of.")
    return parts


def plain(spans: Sequence[Span]) -> str:
    """The text alone."""
    return "".join(span.text for span in spans)


def _parts(tokens: Sequence[Token]) -> Iterator[Part]:
    lists: list[int | None] = []  # of each list that we are in, the next number
    quoted, at = 0, 0
    while at < len(tokens):
        token = tokens[at]
        if token.type in ("bullet_list_open", "ordered_list_open"):
            ordered = token.type.startswith("ordered")
            lists.append(int(token.attrs.get("start", 1)) if ordered else None)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            lists.pop()
        elif token.type in ("blockquote_open", "blockquote_close"):
            quoted += token.nesting
        elif token.type == "table_open":
            end = next(n for n in range(at, len(tokens)) if tokens[n].type == "table_close")
            yield _table(tokens[at:end])
            at = end
        elif token.type in ("fence", "code_block"):
            yield _fence(token)
        elif token.type == "inline":
            yield _inline(tokens[at - 1], token, lists, quoted > 0)
        at += 1


def _inline(opened: Token, token: Token, lists: list[int | None], quoted: bool) -> Part:
    spans = _spans(token.children or [])
    if opened.type == "heading_open":
        return Heading(int(opened.tag[1]), spans)
    if not lists:
        return Paragraph(spans, quoted)
    number = lists[-1]
    if number is not None:
        lists[-1] = number + 1
    return Item(len(lists) - 1, number, spans)


def _spans(tokens: Sequence[Token]) -> Spans:
    found: list[Span] = []
    looks = {"strong": 0, "em": 0, "s": 0}
    link = ""
    for token in tokens:
        name, _, edge = token.type.rpartition("_")
        if name in looks:
            looks[name] += token.nesting
        elif name == "link":
            link = str(token.attrs.get("href", "")) if edge == "open" else ""
        else:
            text = {"softbreak": " ", "hardbreak": "\n"}.get(token.type, token.content)
            bold, italic, struck = (looks[look] > 0 for look in looks)
            found.append(Span(text, bold, italic, token.type == "code_inline", struck, link))
    return tuple(span for span in found if span.text)


def _table(tokens: Sequence[Token]) -> Table:
    rows: list[list[Spans]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(_spans(token.children or []))
    return Table(tuple(map(tuple, rows)))


def _fence(token: Token) -> Part:
    kind, _, rest = token.info.strip().partition(" ")
    if kind != "chart":
        return Code(token.content.rstrip("\n"))
    shape, _, title = rest.partition(" ")
    if shape not in CHARTS:
        raise ConfigError(f"a chart is {', '.join(CHARTS)}, not {shape[:40]!r}.")
    rows = [row for row in csv.reader(token.content.splitlines(), delimiter=";") if row]
    if len(rows) < 2 or len(rows[0]) < 2 or any(len(row) != len(rows[0]) for row in rows):
        raise ConfigError(f"the chart {title[:60]!r} has no rows of one length. {_EXAMPLE}")
    numbers = [[_number(cell, title) for cell in row[1:]] for row in rows[1:]]
    series = zip(map(str.strip, rows[0][1:]), zip(*numbers, strict=True), strict=True)
    names = tuple(row[0].strip() for row in rows[1:])
    return Chart(shape, title.strip(), names, tuple(series))  # type: ignore[arg-type]


def _number(cell: str, title: str) -> float:
    try:
        return float(cell.strip().replace(",", ".").replace("\u202f", "").replace("\u00a0", ""))
    except ValueError as error:
        raise ConfigError(
            f"the chart {title[:60]!r} has {cell[:40]!r} where a number should be. {_EXAMPLE}"
        ) from error
