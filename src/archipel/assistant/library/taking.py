"""A document as the text that an action is done on: as much of it as the action takes."""

from dataclasses import asdict, dataclass
from typing import Any

from archipel.assistant.desk import Desk
from archipel.assistant.library import documents
from archipel.assistant.library.collections import May
from archipel.assistant.library.shelf import Shelf
from archipel.assistant.people import Person
from archipel.documents.whole import beginning
from archipel.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Which document a text was taken from, and how much of it: `characters` of `all`; `unread`
    parts of it gave none. `file`: it is the file that is to come back, changed."""

    document: int
    digest: str
    name: str
    characters: int
    all: int
    unread: int
    file: bool

    @property
    def facts(self) -> dict[str, Any]:
        """As a message keeps it."""
        return {"taken": asdict(self)}


@dataclass(frozen=True)
class Taking:
    """Over the assistant's database and the shelf."""

    desk: Desk
    shelf: Shelf

    async def take(
        self, person: Person, document: int, most: int, *, file: bool
    ) -> tuple[str, Taken]:
        """The text of a document that a person may read, from its beginning, `most` characters of
        it at most; and what that is. Where the `file` is to come back, it is put beside it.

        Raises:
            NotFound: it is not there, or not for them to read.
            NotAllowed: it is not theirs to put a file beside.
            ConfigError: it has no text yet, or can't be read.
            DatabaseError: what is there can't be read.
        """
        wants: May = "edit" if file else "read"
        found = await self.desk.reading(lambda c: documents.find(c, person, document, wants))
        if found.status != "ready":
            raise ConfigError(
                f"{found.name!r} has no text: its state is {found.status!r}. Choose another one."
            )
        text, unread = await self.shelf.text(found)
        used = beginning(text, most)
        return used, Taken(
            document=found.id,
            digest=found.digest,
            name=found.name,
            characters=len(used),
            all=len(text),
            unread=unread,
            file=file,
        )
