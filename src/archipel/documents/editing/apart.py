"""Open a file to change it, and make the changes, in a process apart."""

import base64
from dataclasses import asdict, dataclass
from pathlib import Path

from archipel.documents.blocks import Limits, Unread
from archipel.documents.editing.stretches import Author, Changes, Stretch
from archipel.documents.process import answers_of, order_on
from archipel.errors import DocumentEmpty


@dataclass(frozen=True)
class Opened:
    """A file as it can be changed: its text, what of it can't be, and which bytes that were."""

    path: Path
    name: str
    stretches: tuple[Stretch, ...]
    left: tuple[Unread, ...]
    digest: str


async def open_file(path: Path, name: str, limits: Limits | None = None) -> Opened:
    """Read what can be changed in the file at `path`, which the person knows as `name`.

    Raises:
        ConfigError: the file can't be opened.
        DocumentError: of the kind that says why it can't be changed.
    """
    limits = limits or Limits()
    order = order_on(path, name, limits) | {"changes": None, "digest": None}
    stretches: list[Stretch] = []
    async with answers_of(order, limits) as answers:
        async for answer in answers:
            if "stretch" in answer:
                stretches.append(Stretch.from_json(answer["stretch"]))
            else:
                end = answer
    if not stretches:
        raise DocumentEmpty(f"{name!r} has no text that can be changed.")
    left = tuple(Unread.from_json(value) for value in end["left"])
    return Opened(path, name, tuple(stretches), left, str(end["digest"]))


async def change_file(
    opened: Opened, changes: Changes, author: Author | None, limits: Limits | None = None
) -> bytes:
    """The file with these changes; the one that was opened is as it was.

    Raises:
        ConfigError: the file can't be opened any more.
        DocumentChanged: it is another one by now.
        DocumentError: of the kind that says why it can't be changed.
    """
    limits = limits or Limits()
    order = order_on(opened.path, opened.name, limits)
    order["changes"] = {number: change.to_json() for number, change in changes.items()}
    order["digest"] = opened.digest
    order["author"] = None if author is None else asdict(author)
    async with answers_of(order, limits) as answers:
        async for answer in answers:
            changed = answer["file"]
    return base64.b64decode(changed)
