"""Documents kept and deleted: the row, the file and the library's part go together.

Files are moved and deleted within a transaction, and transactions are one after the other, so a
file goes only when no row has its digest.
"""

import asyncio
import contextlib
import re
from dataclasses import dataclass

from sqlalchemy import Connection

from archipel.assistant.desk import Desk
from archipel.assistant.library import collections, documents
from archipel.assistant.library.documents import Document
from archipel.assistant.library.receiving import Received
from archipel.assistant.library.shelf import Shelf
from archipel.errors import ArchipelError, NotFound

_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True)
class Keeping:
    """Over the assistant's database and the shelf."""

    desk: Desk
    shelf: Shelf

    async def add(self, owner: str, collection: int, name: str, file: Received) -> Document:
        """Put a file that arrived into a collection and read it; one of the same name goes. Why it
        can't be read is in the document's `problem`.

        Raises:
            NotFound: the collection is not there, another's, or deleted meanwhile.
            ConfigError: the collection has too many documents.
            DatabaseError: it can't be written down.
        """

        def begin(connection: Connection, now: float) -> Document:
            collections.find(connection, owner, collection)
            size = file.bytes
            document, before = documents.begin(connection, collection, name, file.digest, size, now)
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
            await self.shelf.read(owner, document, document.added)
        except ArchipelError as error:
            problem = {"code": kind_of(error), "message": str(error)}
        status: documents.Status = "failed" if problem else "ready"
        ended = await self.desk.writing(lambda c, _: documents.end(c, document.id, status, problem))
        if ended is None:
            await asyncio.to_thread(self.shelf.remove, owner, document)
            raise NotFound(f"{name!r} was deleted while it was read.")
        return ended

    async def erase(self, owner: str, document: int) -> None:
        """Delete a document.

        Raises:
            NotFound: it is not there, or another's.
            DatabaseError: it can't be deleted.
        """

        def act(connection: Connection, now: float) -> Document:
            found = documents.find(connection, owner, document)
            self._erase(connection, found)
            return found

        await asyncio.to_thread(self.shelf.remove, owner, await self.desk.writing(act))

    async def erase_collection(self, owner: str, collection: int) -> None:
        """Delete a collection with its documents.

        Raises:
            NotFound: it is not there, or another's.
            DatabaseError: it can't be deleted.
        """

        def act(connection: Connection, now: float) -> list[Document]:
            found = documents.listed(connection, owner, collection)
            for one in found:
                self._erase(connection, one)
            collections.erase(connection, collection)
            return found

        for one in await self.desk.writing(act):
            await asyncio.to_thread(self.shelf.remove, owner, one)

    def _erase(self, connection: Connection, document: Document) -> None:
        documents.erase(connection, document.id)
        self._drop_unused(connection, document.digest)

    def _drop_unused(self, connection: Connection, digest: str) -> None:
        if not documents.is_used(connection, digest):
            with contextlib.suppress(FileNotFoundError):
                self.shelf.file(digest).unlink()


def kind_of(error: ArchipelError) -> str:
    """What the page has words for: `too_large` for DocumentTooLarge. Pure."""
    return _WORD.sub("_", type(error).__name__.removeprefix("Document")).lower()
