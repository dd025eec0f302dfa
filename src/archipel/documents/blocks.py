"""A document as blocks of text, each with its anchor: where in the file it stands.

Knows nothing about file formats or the index.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a block is in its file. Only what the format has is set; numbers begin at 1.

    `box` is left, bottom, right, top in points from the page's lower left corner. `paragraph`
    counts within the page of a PDF, else within the file. `cells` is a range such as "A2:D2";
    `lines` the first and the last line. `part` names the attachments on the way from a message to
    the block.
    """

    page: int | None = None
    box: Box | None = None
    paragraph: int | None = None
    sheet: str | None = None
    cells: str | None = None
    slide: int | None = None
    shape: str | None = None
    lines: tuple[int, int] | None = None
    part: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What is set, as JSON has it."""
        return {name: value for name, value in asdict(self).items() if value not in (None, ())}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Anchor":
        """The anchor that `to_json` wrote.

        Raises:
            TypeError: `value` has a field that no anchor has.
        """
        return cls(**{name: _plain(field) for name, field in value.items()})


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, row, shape or piece of code; `headings` lead to it, outermost first."""

    text: str
    anchor: Anchor
    headings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The block as JSON has it."""
        return {
            "text": self.text,
            "anchor": self.anchor.to_json(),
            "headings": list(self.headings),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Block":
        """The block that `to_json` wrote.

        Raises:
            KeyError: a field is lacking.
            TypeError: the anchor has a field that no anchor has.
        """
        anchor = Anchor.from_json(value["anchor"])
        return cls(str(value["text"]), anchor, tuple(map(str, value["headings"])))


@dataclass(frozen=True, slots=True)
class Unread:
    """A part that gave no text, and why: "picture" for a page without text, else a sentence."""

    anchor: Anchor
    reason: str

    def to_json(self) -> dict[str, Any]:
        """What is lacking, as JSON has it."""
        return {"anchor": self.anchor.to_json(), "reason": self.reason}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Unread":
        """What `to_json` wrote.

        Raises:
            KeyError: a field is lacking.
            TypeError: the anchor has a field that no anchor has.
        """
        return cls(Anchor.from_json(value["anchor"]), str(value["reason"]))


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read. `language` is "fr", "en" or "other", guessed from its words."""

    title: str
    language: str
    blocks: tuple[Block, ...]
    unread: tuple[Unread, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document may cost. Beyond any of them it is refused, not cut."""

    input_bytes: int = 64 << 20
    unpacked_bytes: int = 512 << 20
    memory_bytes: int = 1 << 30
    cpu_seconds: int = 60
    wall_seconds: int = 180
    pages: int = 3_000  # sheets and slides too
    cells: int = 500_000
    blocks: int = 200_000
    characters: int = 20_000_000
    nesting: int = 4  # messages within messages

    def to_json(self) -> dict[str, int]:
        """The limits as JSON has them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
