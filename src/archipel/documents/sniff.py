"""What kind of document some bytes are: by what they begin with and by the file's name.

Knows nothing about how a kind is read.
"""

import zipfile
from io import BytesIO
from pathlib import PurePath

from archipel.errors import DocumentCorrupt, DocumentLocked, DocumentUnsupported

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PACKAGES = {
    "word/document.xml": "docx",
    "xl/workbook.xml": "xlsx",
    "ppt/presentation.xml": "pptx",
}
_TEXT_KINDS = {
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".csv": "csv",
    ".tsv": "csv",
    ".eml": "eml",
    ".txt": "text",
    ".text": "text",
    ".log": "text",
    "": "text",
}
_CODE = """
    .py .pyi .js .mjs .ts .tsx .jsx .java .kt .scala .c .h .cc .cpp .hpp .cs .go .rs .rb .php .pl .r
    .jl .lua .swift .m .sh .bash .zsh .ps1 .sql .css .scss .json .jsonl .yaml .yml .toml .ini .cfg
    .conf .xml .tex .rst .tf .proto .vue .svelte .ipynb .ml .hs .ex .erl .clj .f90
"""
_CODE_SUFFIXES = frozenset(_CODE.split())
_BINARY_KINDS = frozenset((".pdf", ".docx", ".xlsx", ".pptx", ".odt", ".epub"))
_READ = "Readable are pdf, docx, xlsx, pptx, odt, epub, html, md, txt, csv, source code and eml."


def kind_of(name: str, data: bytes) -> str:
    """The kind of the document: "pdf", "docx", "xlsx", "pptx", "odt", "epub", "html", "markdown",
    "csv", "eml", "code" or "text". What binary formats begin with counts more than the name.

    Raises:
        DocumentCorrupt: the name says a binary format and the bytes are none.
        DocumentLocked: it is an Office file with a password.
        DocumentUnsupported: it is of no kind that can be read.
    """
    suffix = PurePath(name).suffix.lower()
    if b"%PDF-" in data[:1024]:
        return "pdf"
    if data.startswith(_OLE):
        raise _ole_error(name, data)
    if data.startswith(b"PK\x03\x04"):
        return _package_kind(name, data)
    if suffix in _BINARY_KINDS:
        raise DocumentCorrupt(
            f"{name!r} is named {suffix}, and its bytes are not: it is damaged or another kind of "
            "file. Open it in the program that made it and save it again."
        )
    if _is_binary(data):
        raise DocumentUnsupported(f"{name!r} holds no text that can be read. {_READ}")
    return _text_kind(suffix, data)


def refuse_early(name: str, start: bytes) -> None:
    """Say from a file's first bytes that it is of no kind that can be read, where they show it.

    Raises:
        DocumentError: as `kind_of`.
    """
    if not start.startswith((_OLE, b"PK\x03\x04")):
        kind_of(name, start)


def _text_kind(suffix: str, data: bytes) -> str:
    if suffix in _CODE_SUFFIXES:
        return "code"
    kind = _TEXT_KINDS.get(suffix, "text")
    start = data[:512].lstrip().lower()
    if kind == "text" and start.startswith((b"<!doctype html", b"<html")):
        return "html"
    return kind


def _is_binary(data: bytes) -> bool:
    """NUL in the beginning, unless a mark says UTF-16 or UTF-32."""
    return b"\x00" in data[:8192] and not data.startswith((b"\xff\xfe", b"\xfe\xff"))


def _ole_error(name: str, data: bytes) -> DocumentLocked | DocumentUnsupported:
    if "EncryptedPackage".encode("utf-16-le") in data:
        return DocumentLocked(f"{name!r} has a password. Save a copy without it, and add that.")
    return DocumentUnsupported(
        f"{name!r} is in an old format of Office. Save it as docx, xlsx or pptx, and add that."
    )


def _package_kind(name: str, data: bytes) -> str:
    try:
        with zipfile.ZipFile(BytesIO(data)) as package:
            names = set(package.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise DocumentCorrupt(
            f"{name!r} is damaged ({error}). Fetch it again, or open and save it in its program."
        ) from error
    for entry, kind in _PACKAGES.items():
        if entry in names:
            return kind
    if {"mimetype", "content.xml"} <= names:
        return "odt"
    if "META-INF/container.xml" in names:
        return "epub"
    raise DocumentUnsupported(f"{name!r} is an archive. Add the files that are in it. {_READ}")
