"""Markdown: headings, paragraphs, list items, table rows and code, as plain text by lines.

Emphasis and links' targets are left out, so that the words are those a reader sees.
"""

import itertools

from markdown_it import MarkdownIt
from markdown_it.token import Token

from archipel.documents.blocks import Anchor
from archipel.documents.collector import Collector
from archipel.documents.formats.table import add_row
from archipel.documents.formats.text import decode


def read_markdown(data: bytes, out: Collector) -> None:
    """Each piece of inline text is a block; a table's head is a heading above its rows."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(decode(data))
    lines = (1, 1)
    for index, token in enumerate(tokens):
        if token.map:
            lines = (token.map[0] + 1, max(token.map[1], token.map[0] + 1))
        if token.type in ("fence", "code_block"):
            out.add(token.content, Anchor(lines=lines), keep_lines=True)
        elif token.type == "tr_open":
            _add_row(tokens, index, out, Anchor(lines=lines))
        elif token.type == "table_close":
            out.end_table()
        elif token.type == "inline":
            _add_inline(tokens[index - 1], token, out, Anchor(lines=lines))


def _add_inline(before: Token, token: Token, out: Collector, anchor: Anchor) -> None:
    if before.type == "heading_open":
        out.heading(int(before.tag[1:]), _words(token), anchor)
    elif before.type not in ("th_open", "td_open"):
        out.add(_words(token), anchor)


def _add_row(tokens: list[Token], index: int, out: Collector, anchor: Anchor) -> None:
    row = itertools.takewhile(lambda token: token.type != "tr_close", tokens[index:])
    add_row(out, [_words(token) for token in row if token.type == "inline"], anchor)


def _words(token: Token) -> str:
    """The text of an inline token without its marks."""
    words = []
    for child in token.children or []:
        if child.type in ("softbreak", "hardbreak"):
            words.append("\n")
        elif child.type in ("text", "code_inline", "image"):
            words.append(child.content)
    return "".join(words)
