"""Files that are text: all of it is one stretch, and no change is tracked."""

from archipel.documents.blocks import Anchor, Unread
from archipel.documents.collector import clean
from archipel.documents.editing.stretches import Author, Changes, Stretch
from archipel.documents.formats.text import decode


class PlainFile:
    """An `Editable` (`stretches.py`) of plain text or Markdown."""

    def __init__(self, data: bytes) -> None:
        self._text = clean(decode(data))
        self.stretches = [Stretch(self._text, Anchor(lines=(1, self._text.count("\n") + 1)))]
        self.left: list[Unread] = []

    def changed(self, changes: Changes, author: Author | None) -> bytes:
        """See `Editable`: UTF-8, and line ends of one kind."""
        return (changes[0].text if 0 in changes else self._text).encode()
