"""Which file is changed how."""

from archipel.documents.blocks import Limits
from archipel.documents.editing.stretches import Editable
from archipel.documents.formats.package import check_package
from archipel.documents.sniff import kind_of
from archipel.errors import DocumentUnsupported

_PACKAGES = ("docx", "xlsx", "pptx")


def open_editable(name: str, data: bytes, limits: Limits) -> Editable:
    """The file in `data`, which the person knows as `name`, to be changed.

    A format's module is imported when it is needed: a file needs one.

    Raises:
        DocumentError: of the kind that says why it can't be changed.
    """
    kind = kind_of(name, data)
    if kind in _PACKAGES:
        check_package(name, data, limits)
    if kind == "docx":
        from archipel.documents.editing.word import WordFile

        return WordFile(name, data)
    if kind == "pptx":
        from archipel.documents.editing.slides import SlidesFile

        return SlidesFile(name, data)
    if kind == "xlsx":
        from archipel.documents.editing.sheets import SheetsFile

        return SheetsFile(name, data)
    if kind == "pdf":
        from archipel.documents.editing.notes import NotesFile

        return NotesFile(name, data, limits)
    if kind in ("text", "markdown"):
        from archipel.documents.editing.plain import PlainFile

        return PlainFile(data)
    raise DocumentUnsupported(
        f"{name!r} is {kind}, and changed can be docx, pptx, xlsx, pdf, md and txt. Save it as one "
        "of these."
    )
