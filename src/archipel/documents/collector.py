"""Gathers a document's blocks while a format's reader walks through it, within the limits.

Knows nothing about file formats.
"""

from dataclasses import replace

from archipel.documents.blocks import Anchor, Block, Limits, Unread
from archipel.errors import DocumentTooLarge

_TABLE_LEVEL = 10  # below all headings


class Collector:
    """The blocks so far, and the headings that the next one stands under."""

    def __init__(self, name: str, limits: Limits, part: tuple[str, ...] = ()) -> None:
        self.name = name
        self.limits = limits
        self.part = part
        self.title = ""
        self.has_table_head = False
        self.blocks: list[Block] = []
        self.unread: list[Unread] = []
        self._headings: list[tuple[int, str]] = []
        self._characters = 0
        self._counted: dict[str, int] = {}

    def heading(self, level: int, text: str, anchor: Anchor) -> None:
        """A heading: a block of its own, and above all that follows until one of its level."""
        text = tidy(text)
        if not text:
            return
        self.under(level, "")
        self.add(text, anchor)
        self._headings.append((level, text))
        self.title = self.title or text

    def under(self, level: int, text: str) -> None:
        """What follows stands under `text`, which is in no block here; "" ends the level."""
        self._headings = [heading for heading in self._headings if heading[0] < level]
        if text := tidy(text):
            self._headings.append((level, text))

    def table_head(self, row: str) -> None:
        """The rows that follow stand under `row` until the next table; "" when it is no head."""
        self.under(_TABLE_LEVEL, row)
        self.has_table_head = True

    def end_table(self) -> None:
        """What follows belongs to no table, or to the next one."""
        self.under(_TABLE_LEVEL, "")
        self.has_table_head = False

    def add(self, text: str, anchor: Anchor, *, keep_lines: bool = False) -> None:
        """A block, unless it has no text.

        Raises:
            DocumentTooLarge: there are more blocks or characters than the limits allow.
        """
        text = clean(text).strip("\n") if keep_lines else tidy(text)
        if not text.strip():
            return
        self._characters += len(text)
        if self._characters > self.limits.characters:
            raise too_large(self.name, f"{self.limits.characters:,} characters")
        self.count("blocks", self.limits.blocks)
        headings = tuple(text for _, text in self._headings)
        self.blocks.append(Block(text, self._placed(anchor), headings))

    def count(self, what: str, limit: int) -> None:
        """One more of `what`: pages, cells, blocks.

        Raises:
            DocumentTooLarge: there are more than `limit`.
        """
        self._counted[what] = self._counted.get(what, 0) + 1
        if self._counted[what] > limit:
            raise too_large(self.name, f"{limit:,} {what}")

    def leave_out(self, anchor: Anchor, reason: str) -> None:
        """A part gave no text."""
        self.unread.append(Unread(self._placed(anchor), reason))

    def within(self, name: str) -> "Collector":
        """A collector for a file inside this one; `take` brings back what it gathers."""
        inner = Collector(name, self.limits, (*self.part, name))
        inner._characters = self._characters
        inner._counted = self._counted
        return inner

    def take(self, inner: "Collector") -> None:
        """Add what was gathered from a file inside this one."""
        self._characters = inner._characters
        self.blocks += inner.blocks
        self.unread += inner.unread

    def _placed(self, anchor: Anchor) -> Anchor:
        return replace(anchor, part=self.part) if self.part else anchor


def too_large(name: str, limit: str) -> DocumentTooLarge:
    """The error of a document that goes beyond `limit`."""
    return DocumentTooLarge(f"{name!r} has more than {limit}. Split it, and add the parts.")


def too_costly(name: str, cost: str) -> DocumentTooLarge:
    """The error of a document that takes more than `cost` to read."""
    return DocumentTooLarge(
        f"{name!r} takes more than {cost} to read. Split it, and add the parts."
    )


def clean(text: str) -> str:
    """Text that UTF-8 and SQLite can hold: no NUL, no half of a surrogate pair."""
    text = text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")
    return text.encode("utf-8", "ignore").decode("utf-8")


def tidy(text: str) -> str:
    """As `clean`, in one line: runs of blanks and line ends become one space, but no-break spaces
    stay, as French typography wants them."""
    words = clean(text).replace("\t", " ").replace("\n", " ").replace("\v", " ").split(" ")
    return " ".join(word for word in words if word)
