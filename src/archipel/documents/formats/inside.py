"""Bytes of any kind to blocks: finds the kind and calls its reader, also for what hangs on a mail.

A reader is imported when it is needed: a document needs one, and some take 0.3 s.
"""

import importlib
from functools import partial

from archipel.documents.blocks import Document, Limits
from archipel.documents.collector import Collector
from archipel.documents.language import guess_language
from archipel.documents.sniff import kind_of
from archipel.errors import DocumentEmpty

_SAMPLE_BLOCKS = 400  # that say which language it is in

_READERS = {
    "pdf": ("pdf", "read_pdf"),
    "docx": ("word", "read_docx"),
    "xlsx": ("sheet", "read_xlsx"),
    "pptx": ("slides", "read_pptx"),
    "odt": ("open_text", "read_odt"),
    "epub": ("book", "read_epub"),
    "html": ("html", "read_html"),
    "markdown": ("markdown", "read_markdown"),
    "csv": ("table", "read_csv"),
    "code": ("text", "read_code"),
    "text": ("text", "read_text"),
    "eml": ("message", "read_message"),
}


def collect(name: str, data: bytes, limits: Limits) -> Document:
    """A whole file; its title is "" where the file has none.

    Raises:
        DocumentError: of the kind that says why it can't be read.
    """
    out = Collector(name, limits)
    if data.strip():
        read_inside(data, out)
    if not out.blocks:
        raise DocumentEmpty(f"{name!r} has no text. Check that it is the right file.")
    sample = "\n".join(block.text for block in out.blocks[:_SAMPLE_BLOCKS])
    return Document(out.title, guess_language(sample), tuple(out.blocks), tuple(out.unread))


def read_inside(data: bytes, out: Collector) -> None:
    """Read a file's bytes into `out`.

    Raises:
        DocumentError: of the kind that says why it can't be read.
    """
    kind = kind_of(out.name, data)
    module, function = _READERS[kind]
    read = getattr(importlib.import_module(f"archipel.documents.formats.{module}"), function)
    if kind == "eml":
        read = partial(read, read_inside=read_inside)
    read(data, out)
