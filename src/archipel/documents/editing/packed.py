"""An Office file's XML parts: found by what they are, and put back changed; all else stays.

Knows nothing about what the XML says.
"""

import posixpath
import re
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO

from lxml import etree

from archipel.documents.formats.package import entry_bytes, parse_xml
from archipel.errors import DocumentUnsupported

_TYPES = "[Content_Types].xml"
_NOT_HELD = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_XML_SPACE = "{http://www.w3.org/XML/1998/namespace}space"


def parts_of(data: bytes, kinds: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The entries whose content type ends with one of `kinds` and "+xml", each with its kind: kind
    by kind as they are given, and in the package's order."""
    types = parse_xml(entry_bytes(data, _TYPES) or b"<none/>")
    named = {
        override.get("PartName", "").lstrip("/"): override.get("ContentType", "")
        for override in types.iterchildren("{*}Override")
    }
    with zipfile.ZipFile(BytesIO(data)) as package:
        names = package.namelist()
    for kind in kinds:
        for name in names:
            if named.get(name, "").endswith(f".{kind}+xml"):
                yield name, kind


def related(data: bytes, part: str) -> dict[str, str]:
    """The parts that this one refers to, by the names that it has for them."""
    folder, _, name = part.rpartition("/")
    relations = parse_xml(entry_bytes(data, f"{folder}/_rels/{name}.rels") or b"<none/>")
    return {
        one.get("Id", ""): posixpath.normpath(
            posixpath.join(f"/{folder}", one.get("Target", ""))
        ).lstrip("/")
        for one in relations.iterchildren("{*}Relationship")
    }


def root_of(data: bytes, part: str, namespace: str, name: str, kind: str) -> etree._Element:
    """A part's XML, of the file that the person knows as `name`.

    Raises:
        DocumentUnsupported: it is in the strict variant of the format, with other names for all; it
            has to be saved as `kind`.
    """
    root = parse_xml(entry_bytes(data, part) or b"")
    if not root.tag.startswith(namespace):
        raise DocumentUnsupported(f"{name!r} is in Office's strict format. Save it as {kind}.")
    return root


def repacked(data: bytes, parts: Mapping[str, etree._Element]) -> bytes:
    """The package with these parts' XML in place of what they had."""
    written = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as package, zipfile.ZipFile(written, "w") as out:
        for entry in package.infolist():
            root = parts.get(entry.filename)
            content = package.read(entry) if root is None else _document(root)
            out.writestr(entry, content)
    return written.getvalue()


def set_text(element: etree._Element, text: str) -> None:
    """Give a text element its text; its spaces count."""
    element.text = text = held(text)
    if text != text.strip():
        element.set(_XML_SPACE, "preserve")


def held(text: str) -> str:
    """The text without what XML can't hold, which a model may write all the same."""
    return _NOT_HELD.sub("", text)


def _document(root: etree._Element) -> bytes:
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True))
