"""EPUB books: their chapters in the order in which they are read, each under its file's name."""

import posixpath
from urllib.parse import unquote

from lxml import etree

from archipel.documents.collector import Collector
from archipel.documents.formats.html import read_html
from archipel.documents.formats.package import check_package, entry_bytes, parse_xml
from archipel.errors import DocumentCorrupt, DocumentLocked

_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_PAGES = ("application/xhtml+xml", "text/html")


def read_epub(data: bytes, out: Collector) -> None:
    """Chapter after chapter; pictures and what is only linked are left out.

    Raises:
        DocumentError: the package is not sound (`check_package`).
        DocumentLocked: its texts are encrypted.
        DocumentCorrupt: it does not say what its chapters are.
        DocumentTooLarge: there are more chapters than the limits allow.
    """
    check_package(out.name, data, out.limits)
    locked = parse_xml(entry_bytes(data, "META-INF/encryption.xml") or b"<none/>")
    ways = (element.get("Algorithm") for element in locked.iter("{*}EncryptionMethod"))
    if not all(way in _FONTS for way in ways):
        raise DocumentLocked(f"{out.name!r} is protected against copying and can't be read here.")
    container = parse_xml(entry_bytes(data, "META-INF/container.xml") or b"<none/>")
    named = [root.get("full-path", "") for root in container.iter("{*}rootfile")]
    listed = entry_bytes(data, named[0]) if named else None
    if listed is None:
        raise DocumentCorrupt(f"{out.name!r} does not say what its chapters are. Fetch it again.")
    package = parse_xml(listed)
    title = package.find(".//{http://purl.org/dc/elements/1.1/}title")
    for entry in _chapters(package, posixpath.dirname(named[0])):
        out.count("chapters", out.limits.pages)
        chapter = entry_bytes(data, entry)
        if chapter:
            inner = out.within(posixpath.basename(entry))
            read_html(chapter, inner)
            out.take(inner)
    out.title = "" if title is None else (title.text or "").strip()


def _chapters(package: etree._Element, folder: str) -> list[str]:
    """The entries of its spine that are pages."""
    items = {item.get("id"): item for item in package.iter("{*}item")}
    spine = (items.get(one.get("idref")) for one in package.iter("{*}itemref"))
    pages = [one for one in spine if one is not None and one.get("media-type") in _PAGES]
    places = (posixpath.join(folder, unquote(one.get("href", ""))) for one in pages)
    return [posixpath.normpath(place) for place in places]
