"""Text of a file that can be changed and put back where it was.

Knows nothing about file formats, nor who changes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from archipel.documents.blocks import Anchor, Unread

OBJECT = "\ufffc"  # one character for what is no text and stays: a picture, a link, a field


class Mark(NamedTuple):
    """A range of characters with a look of its own; `of` is which of the old text's it comes from,
    by number from 0."""

    begin: int
    end: int
    of: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Text that is changed as one: of a paragraph, a cell or a shape. `marked` are the parts of it
    that look unlike most of it, a bold word say."""

    text: str
    anchor: Anchor
    marked: tuple[Mark, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The stretch as JSON has it."""
        return {"text": self.text, "anchor": self.anchor.to_json(), "marked": self.marked}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Stretch":
        """The stretch that `to_json` wrote.

        Raises:
            KeyError: a field is lacking.
            TypeError: a field is not what it should be.
        """
        marked = tuple(Mark(*map(int, mark)) for mark in value["marked"])
        return cls(str(value["text"]), Anchor.from_json(value["anchor"]), marked)


@dataclass(frozen=True, slots=True)
class Change:
    """What takes a stretch's place. It has as many `OBJECT`s, the first for the first; `marked`
    are the parts that take the look of the old text's."""

    text: str
    marked: tuple[Mark, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The change as JSON has it."""
        return {"text": self.text, "marked": self.marked}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Change":
        """The change that `to_json` wrote.

        Raises:
            KeyError: a field is lacking.
            TypeError: a field is not what it should be.
        """
        return cls(str(value["text"]), tuple(Mark(*map(int, mark)) for mark in value["marked"]))


@dataclass(frozen=True, slots=True)
class Author:
    """Whose the changes are, as the programs that show them have it; `date` in ISO 8601, UTC."""

    name: str
    date: str


Changes = Mapping[int, Change]  # by the stretch's number, from 0


class Editable(Protocol):
    """A file whose text can be changed."""

    @property
    def stretches(self) -> Sequence[Stretch]:
        """Its text, in the order in which it is read."""
        ...

    @property
    def left(self) -> Sequence[Unread]:
        """What is not among the stretches, and why, in a word: `tracked` (somebody's changes await
        a word), `computed` (a table of contents), `named` (formulas go by it), `filled` (by a
        control), `chart`, `diagram`, `drawing`, `comments`, `picture` (a page without text)."""
        ...

    def changed(self, changes: Changes, author: Author | None) -> bytes:
        """The file with the changes made: tracked as the author's where the format can track and
        there is one, else just made. All else is as it was."""
        ...
