"""Documents kept and deleted: the row, the file and the library's part go together.

Files are moved and deleted within a transaction, and transactions are one after the other, so a
file goes only when no row has its digest.
"""

import asyncio
import re
from dataclasses import dataclass

from sqlalchemy import Connection

from archipel.assistant.desk import Desk
from archipel.assistant.library import collections, documents
from archipel.assistant.library.documents import Document
from archipel.assistant.library.receiving import Received
from archipel.assistant.library.shelf import Shelf
from archipel.assistant.people import Person
from archipel.errors import ArchipelError, NotFound

_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True)
class Keeping:
    """Over the assistant's database and the shelf."""

    desk: Desk
    shelf: Shelf

    async def add(self, person: Person, collection: int, name: str, file: Received) -> Document:
        """Put a file that arrived into a collection and read it; one of the same name goes. Why it
        can't be read is in the document's `problem`. Nobody else adds one of this name meanwhile.

        Raises:
            NotFound: the collection is not there, not theirs to read, or deleted meanwhile.
            NotAllowed: it is not theirs to change.
            ConfigError: the collection has too many documents.
            DatabaseError: it can't be written down.
        """

        def begin(connection: Connection, now: float) -> Document:
            its, size = collections.find(connection, person, collection, "edit"), file.bytes
            document, before = documents.begin(connection, its, name, file.digest, size, now)
            file.path.replace(self.shelf.file(file.digest))
            if before is not None:
                self._drop_unused(connection, before)
            return document

        try:
            document = await self.desk.writing(begin)
        finally:
            file.path.unlink(missing_ok=True)
        problem = None
        try:
            await self.shelf.read(document, document.added)
        except ArchipelError as error:
            problem = {"code": kind_of(error), "message": str(error)}
        status: documents.Status = "failed" if problem else "ready"
        ended = await self.desk.writing(lambda c, _: documents.end(c, document.id, status, problem))
        if ended is None:
            await asyncio.to_thread(self.shelf.remove, document)
            raise NotFound(f"{name!r} was deleted while it was read.")
        return ended

    async def erase(self, person: Person, document: int) -> None:
        """Delete a document.

        Raises:
            NotFound, NotAllowed: it is not there, or not theirs to read; or to delete.
            DatabaseError: it can't be deleted.
        """

        def act(connection: Connection, now: float) -> Document:
            found = documents.find(connection, person, document, "edit")
            self._erase(connection, found)
            return found

        await asyncio.to_thread(self.shelf.remove, await self.desk.writing(act))

    async def erase_collection(self, person: Person, collection: int) -> None:
        """Delete a collection with its documents.

        Raises:
            NotFound, NotAllowed: it is not there, or not theirs to read; or not their own.
            DatabaseError: it can't be deleted.
        """

        def act(connection: Connection, now: float) -> list[Document]:
            found = documents.listed(connection, person, collection, "own")
            for one in found:
                self._erase(connection, one)
            collections.erase(connection, collection)
            return found

        for one in await self.desk.writing(act):
            await asyncio.to_thread(self.shelf.remove, one)

    def _erase(self, connection: Connection, document: Document) -> None:
        documents.erase(connection, document.id)
        self._drop_unused(connection, document.digest)

    def _drop_unused(self, connection: Connection, digest: str) -> None:
        if not documents.is_used(connection, digest):
            for file in self.shelf.files(digest):
                file.unlink(missing_ok=True)


def kind_of(error: ArchipelError) -> str:
    """What the page has words for: `too_large` for DocumentTooLarge. Pure."""
    return _WORD.sub("_", type(error).__name__.removeprefix("Document")).lower()
