"""A document's text from its beginning to its end, for who wants all of it and not passages.

What is written as text is as it was written; of other kinds it is their blocks, one after another.
"""

from collections.abc import Iterable
from pathlib import Path

from archipel.documents.blocks import Anchor, Block
from archipel.documents.collector import clean
from archipel.documents.formats.text import decode
from archipel.documents.sniff import kind_of
from archipel.errors import ConfigError

_WRITTEN = ("text", "markdown", "code", "csv")
_ENDS = ("\n\n", "\n", " ")  # of paragraphs, of lines, of words


def written(path: Path, name: str) -> str | None:
    """The text of a file that is text, which the person knows as `name`; None for other kinds.

    Raises:
        ConfigError: the file can't be read.
        DocumentError: it is of no kind that can be.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"can't read {name!r}: {error.strerror}. Add it again.") from error
    return clean(decode(data)) if kind_of(name, data) in _WRITTEN else None


def joined(blocks: Iterable[Block]) -> str:
    """The blocks as one text: rows in lines, all else in paragraphs; a file that hangs on a message
    under its name. Pure."""
    said: list[str] = []
    before = Anchor()
    for block in blocks:
        here = block.anchor
        if said:
            said.append("\n" if _is_next_row(before, here) else "\n\n")
        if here.part and here.part != before.part:
            said.append(f"{here.part[-1]}\n\n")
        said.append(block.text)
        before = here
    return "".join(said)


def beginning(text: str, most: int) -> str:
    """The text, or as much of it as has at most so many characters and ends with a paragraph, else
    a line, else a word. Pure."""
    if len(text) <= most:
        return text
    found = (text.rfind(end, most // 2, most) for end in _ENDS)
    return text[: next((at for at in found if at > 0), most)]


def _is_next_row(before: Anchor, here: Anchor) -> bool:
    both_rows = before.cells is not None and here.cells is not None
    return both_rows and (before.sheet, before.part) == (here.sheet, here.part)
