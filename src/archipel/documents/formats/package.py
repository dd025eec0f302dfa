"""Office files are ZIP archives of XML: looked through before any library opens them.

Knows nothing about what the XML says.
"""

import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO

from lxml import etree

from archipel.documents.blocks import Limits
from archipel.documents.collector import too_large
from archipel.errors import DocumentCorrupt, DocumentHasMacros, DocumentLocked

_PIECE_BYTES = 1 << 16
_ENTRIES = 10_000
_DOCTYPES = tuple("<!DOCTYPE".encode(encoding) for encoding in ("ascii", "utf-16-le", "utf-16-be"))
_MACROS = ("vbaproject.bin", "script-lb.xml", "xlm/")


def check_package(name: str, data: bytes, limits: Limits) -> None:
    """Unpack every entry once, keeping nothing, to know that none is a bomb or a trap.

    Raises:
        DocumentTooLarge: it unpacks to more than the limits allow, whatever its directory says.
        DocumentHasMacros: there is a program in it.
        DocumentLocked: an entry has a password.
        DocumentCorrupt: it is damaged, or its XML declares types, as no Office program does.
    """
    try:
        with zipfile.ZipFile(BytesIO(data)) as package:
            entries = package.infolist()
            _check_directory(name, entries, limits)
            total = 0
            for entry in entries:
                tail = b""
                for piece in _pieces(package, entry):
                    total += len(piece)
                    if total > limits.unpacked_bytes:
                        raise _bomb(name, limits)
                    if entry.filename.endswith((".xml", ".rels")):
                        _check_types(name, tail + piece)
                        tail = piece[-24:]
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        raise DocumentCorrupt(
            f"{name!r} is damaged ({error}). Fetch it again, or open and save it in its program."
        ) from error


def parse_xml(data: bytes) -> etree._Element:
    """The root of an XML file, read without entities, files or network.

    Raises:
        lxml.etree.XMLSyntaxError: it is not XML.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    return etree.fromstring(data, parser)


def entry_bytes(data: bytes, entry: str) -> bytes | None:
    """One entry of a package that `check_package` let pass, or None when it is not there."""
    with zipfile.ZipFile(BytesIO(data)) as package:
        return package.read(entry) if entry in package.namelist() else None


def _check_directory(name: str, entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(entries) > _ENTRIES:
        raise too_large(name, f"{_ENTRIES:,} entries")
    if sum(entry.file_size for entry in entries) > limits.unpacked_bytes:
        raise _bomb(name, limits)
    for entry in entries:
        path = entry.filename.lower()
        if path.endswith(_MACROS[:2]) or _MACROS[2] in path:
            raise DocumentHasMacros(
                f"{name!r} has macros ({entry.filename}). Save it without them (as docx, xlsx, "
                "pptx or odt), and add that."
            )
        if entry.flag_bits & 1:
            raise DocumentLocked(f"{name!r} has a password. Save a copy without it, and add that.")


def _pieces(package: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    with package.open(entry) as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _check_types(name: str, piece: bytes) -> None:
    if any(doctype in piece for doctype in _DOCTYPES):
        raise DocumentCorrupt(
            f"{name!r} has a document type in its XML, which Office files never have. Open and "
            "save it in its program."
        )


def _bomb(name: str, limits: Limits) -> Exception:
    return too_large(name, f"{limits.unpacked_bytes:,} bytes once unpacked")
