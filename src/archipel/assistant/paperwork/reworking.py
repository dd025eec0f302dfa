"""An action done on the file of a document itself: the changed file is put beside it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from archipel.assistant.actions.acting import Reader
from archipel.assistant.actions.table import Chosen
from archipel.assistant.desk import Desk
from archipel.assistant.library import documents
from archipel.assistant.library.documents import Document
from archipel.assistant.library.keeping import Keeping
from archipel.assistant.library.receiving import received
from archipel.assistant.library.shelf import Shelf
from archipel.assistant.paperwork.journal import Journal
from archipel.assistant.paperwork.working import Done, Work
from archipel.assistant.people import Person
from archipel.assistant.pieces import Piece
from archipel.documents.blocks import Limits
from archipel.documents.editing.apart import Opened, change_file, open_file
from archipel.documents.editing.stretches import Author
from archipel.errors import DocumentChanged

_AUTHOR = "Archipel"
_MADE = {"correct": "corrected", "rewrite": "rewritten"}
_SHOWN = 50  # things to look at, that an answer keeps


@dataclass(frozen=True)
class Order:
    """Whose action on which document, with which bytes."""

    person: Person
    document: int
    digest: str
    chosen: Chosen


@dataclass(frozen=True)
class Reworking:
    """Over the assistant's database and the shelf."""

    desk: Desk
    shelf: Shelf

    async def pieces(self, reader: Reader, order: Order) -> AsyncGenerator[Piece]:
        """The new text, and in the facts `made`: the new document's id and name, how many pieces of
        text were `changed`, of how many, what to look at (`said`) and what was `left`.

        Raises:
            NotFound, NotAllowed: the document is gone, or its collection not theirs to add to.
            DocumentError: it is another file by now, or can't be changed.
            ServiceError: the service can't be reached or refuses; asked again, it goes on.
        """
        yield Piece(facts={"action": order.chosen.facts | {"notes": [], "parts": 1}})
        found = await self.desk.reading(
            lambda c: documents.find(c, order.person, order.document, "edit")
        )
        if found.digest != order.digest:
            raise DocumentChanged(f"{found.name!r} is another file now. Ask again.")
        opened = await open_file(self.shelf.file(found.digest), found.name)
        done = Done()
        with Journal(self.shelf.unfinished(found.digest)) as journal:
            work = Work(reader, order.chosen, journal)
            async with contextlib.aclosing(_progress(work, opened, done)) as progress:
                async for piece in progress:
                    yield piece
            made = await self._put(order, found, opened, done)
        texts = [done.changes[number].text for number in sorted(done.changes)]
        yield Piece("\n\n".join(texts), facts={"made": _told(made, opened, done)})

    async def _put(self, order: Order, found: Document, opened: Opened, done: Done) -> Document:
        """The changed file as a document beside the old one, under a name that none has."""
        date = datetime.fromtimestamp(self.desk.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        data = await change_file(opened, done.changes, Author(_AUTHOR, date))
        file = await received(_chunks(data), self.shelf.folder, Limits().input_bytes)
        there = await self.desk.reading(
            lambda c: documents.listed(c, order.person, found.collection)
        )
        name = _free(found.name, order.chosen, {one.name for one in there})
        keeping = Keeping(self.desk, self.shelf)
        return await keeping.add(order.person, found.collection, name, file)


async def _progress(work: Work, opened: Opened, done: Done) -> AsyncGenerator[Piece]:
    """How far the work is, until it is done."""
    counts: asyncio.Queue[int | None] = asyncio.Queue()
    of = len(opened.stretches)

    async def do() -> None:
        try:
            found = await work.do(opened.stretches, lambda count, _: counts.put_nowait(count))
            done.changes, done.said = found.changes, found.said
        finally:
            counts.put_nowait(None)

    task = asyncio.create_task(do())
    try:
        while (count := await counts.get()) is not None:
            yield Piece(progress={"part": min(count + 1, of), "parts": of})
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _chunks(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _free(name: str, chosen: Chosen, taken: set[str]) -> str:
    """What the new file is called: "report.fr.docx", or "report.fr 2.docx". Pure."""
    path = PurePath(name)
    made = f"{path.stem}.{chosen.fields.get('target') or _MADE[chosen.action.name]}"
    found, number = f"{made}{path.suffix}", 2
    while found in taken:
        found = f"{made} {number}{path.suffix}"
        number += 1
    return found


def _told(made: Document, opened: Opened, done: Done) -> dict[str, Any]:
    stretches = opened.stretches
    changed = sum(change.text != stretches[n].text for n, change in done.changes.items())
    said = sorted(done.said, key=lambda one: one.number)
    return {
        "document": made.id,
        "name": made.name,
        "changed": changed,
        "of": len(stretches),
        "said": [
            {"anchor": one.anchor.to_json(), "code": one.code, "values": list(one.values)}
            for one in said[:_SHOWN]
            if one.code != "typography"
        ],
        "left": [
            {"anchor": one.anchor.to_json(), "code": one.reason} for one in opened.left[:_SHOWN]
        ],
    }
