"""An Office file's package: the same bytes each time that it is made, with parts put in by hand."""

import re
import zipfile
from collections.abc import Mapping
from io import BytesIO
from typing import NamedTuple

_WHEN = (2026, 1, 1, 0, 0, 0)
_MADE = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")
_NOTED = re.compile(rb'(w:date=")[^"]*')
_DATE = rb"\g<1>2026-01-01T00:00:00Z"
_OFFICE = "application/vnd.openxmlformats-officedocument"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


class Part(NamedTuple):
    """A part that no library makes: where it is, what it is (as its content type ends and its
    relation is called), and its XML."""

    name: str
    kind: str
    relation: str
    xml: str


def entries(data: bytes) -> dict[str, bytes]:
    """Every file of a package, in its order."""
    with zipfile.ZipFile(BytesIO(data)) as package:
        return {name: package.read(name) for name in package.namelist()}


def packed(files: Mapping[str, bytes]) -> bytes:
    """The package of these files. The time at which a library made them is taken out."""
    written = BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _WHEN)
            package.writestr(entry, _settled(name, content), zipfile.ZIP_DEFLATED)
    return written.getvalue()


def with_parts(data: bytes, main: str, parts: tuple[Part, ...]) -> bytes:
    """The package with these parts, which the part `main` relates to as R1, R2 and so on."""
    files = entries(data)
    folder, _, name = main.rpartition("/")
    relations = f"{folder}/_rels/{name}.rels"
    for number, part in enumerate(parts, 1):
        files[f"{folder}/{part.name}"] = part.xml.encode()
        files["[Content_Types].xml"] = _before_end(
            files["[Content_Types].xml"],
            f'<Override PartName="/{folder}/{part.name}" ContentType="{_OFFICE}.{part.kind}+xml"/>',
        )
        files[relations] = _before_end(
            files[relations],
            f'<Relationship Id="R{number}" Type="{_RELATIONS}/{part.relation}" '
            f'Target="{part.name}"/>',
        )
    return packed(files)


def _before_end(xml: bytes, element: str) -> bytes:
    head, close, tail = xml.rpartition(b"</")
    return head + element.encode() + close + tail


def _settled(name: str, content: bytes) -> bytes:
    if name.endswith("core.xml"):
        return _MADE.sub(_DATE, content)
    if name == "word/comments.xml":
        return _NOTED.sub(_DATE, content)
    return packed(entries(content)) if name.endswith(".xlsx") else content
