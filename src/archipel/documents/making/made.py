"""Which kind of file is made how."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath

from archipel.documents.making.parts import Part, read_parts
from archipel.errors import ConfigError

Make = Callable[[Sequence[Part], str, bytes | None], bytes]
KINDS = (".docx", ".pptx", ".xlsx")


def make_file(name: str, text: str, template: bytes | None = None) -> bytes:
    """The file called `name`, of a Markdown text.

    Raises:
        ConfigError: it is of no kind that is made, or the text can't become one.
    """
    path = PurePath(name)
    make = _makers().get(path.suffix.lower())
    if make is None:
        raise ConfigError(f"{name!r}: {', '.join(KINDS)} are made. Name such a file.")
    return make(read_parts(text), path.stem, template)


def _makers() -> Mapping[str, Make]:
    from archipel.documents.making.sheets import make_xlsx
    from archipel.documents.making.slides import make_pptx
    from archipel.documents.making.word import make_docx

    return {".docx": make_docx, ".pptx": make_pptx, ".xlsx": make_xlsx}
