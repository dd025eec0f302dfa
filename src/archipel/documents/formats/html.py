"""HTML: the text of paragraphs, headings, items and rows; no scripts, styles or hidden parts.

Nothing that a page links to is fetched.
"""

from collections.abc import Iterator

from lxml import etree
from lxml import html as lxml_html

from archipel.documents.blocks import Anchor
from archipel.documents.collector import Collector
from archipel.documents.formats.table import add_row

_UNSEEN = """
    script style noscript template head svg math iframe object embed canvas select textarea button
"""
_LEFT_OUT = frozenset(_UNSEEN.split())
_APART = """
    html body article section main header footer nav aside div p ul ol li dl dt dd blockquote pre
    figure figcaption table caption thead tbody tfoot tr td th form fieldset address details
    summary hr h1 h2 h3 h4 h5 h6
"""
_BLOCKS = frozenset(_APART.split())
_HEADINGS = {f"h{level}": level for level in range(1, 7)}


def read_html(data: bytes, out: Collector) -> None:
    """Blocks in the order of the page, anchored by their number among its paragraphs."""
    root = _parse(data)
    if root is None:
        return
    _Walk(out).element(root)
    title = root.findtext(".//title")
    if title and title.strip():
        out.title = title.strip()


class _Walk:
    """One pass over a page: text gathers until a block begins or ends."""

    def __init__(self, out: Collector) -> None:
        self._out = out
        self._paragraph = 0
        self._text: list[str] = []

    def element(self, element: etree._Element) -> None:
        if _is_left_out(element):
            return
        tag = element.tag
        if tag == "br":
            self._text.append("\n")
        elif tag in _HEADINGS:
            self._end_block()
            self._out.heading(_HEADINGS[tag], _words(element), self._next_anchor())
        elif tag == "tr" and element.find(".//table") is None:
            self._end_block()
            cells = [_words(cell) for cell in element if cell.tag in ("td", "th")]
            add_row(self._out, cells, self._next_anchor())
        else:
            self._children(element)
        if tag == "table":
            self._out.end_table()

    def _children(self, element: etree._Element) -> None:
        if element.tag in _BLOCKS:
            self._end_block()
        self._text.append(element.text or "")
        for child in element:
            self.element(child)
            self._text.append(child.tail or "")
        if element.tag in _BLOCKS:
            self._end_block()

    def _end_block(self) -> None:
        text = "".join(self._text)
        self._text = []
        if text.strip():
            self._out.add(text, self._next_anchor())

    def _next_anchor(self) -> Anchor:
        self._paragraph += 1
        return Anchor(paragraph=self._paragraph)


def _words(element: etree._Element) -> str:
    return "".join(_texts(element))


def _texts(element: etree._Element) -> Iterator[str]:
    if _is_left_out(element):
        return
    yield "\n" if element.tag == "br" else element.text or ""
    for child in element:
        yield from _texts(child)
        yield child.tail or ""


def _is_left_out(element: etree._Element) -> bool:
    """Scripts and the like, what is hidden, and comments, whose tag is a function."""
    tag = element.tag
    return not isinstance(tag, str) or tag in _LEFT_OUT or element.get("hidden") is not None


def _parse(data: bytes) -> etree._Element | None:
    """The page's root, or None when it has no element."""
    parser = lxml_html.HTMLParser(encoding=_encoding(data), no_network=True, huge_tree=False)
    try:
        return lxml_html.document_fromstring(data, parser=parser)
    except etree.ParserError:
        return None


def _encoding(data: bytes) -> str | None:
    """UTF-8 where the bytes are; else what the page says itself."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return "utf-8"
