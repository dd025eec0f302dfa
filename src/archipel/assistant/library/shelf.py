"""The documents themselves: each one's file by its digest, and the library that is searched.

Knows nothing about who may see what: callers have looked that up.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from archipel.assistant.library.documents import Document
from archipel.assistant.library.meaning import Meaning
from archipel.chat import ServiceError
from archipel.documents import whole
from archipel.documents.blocks import Limits
from archipel.documents.citations import Span
from archipel.documents.embedding import embed_chunks
from archipel.documents.ingest import ingest
from archipel.documents.library import Held, Library, Place, Scope
from archipel.documents.pages import PageImage, PlaceOnPage
from archipel.documents.passages import Passage
from archipel.documents.printing import print_pdf, prints
from archipel.documents.reading import draw_page
from archipel.documents.search import search
from archipel.documents.support import Supported, asked_of, supporting_sentences
from archipel.documents.viewing import Shown, open_citation, place_on_page
from archipel.errors import ModelError, NotFound

_READ_AT_ONCE = 2  # processes, whoever asks
_PASSAGES = 12
_PAGE_PIXELS = 1_200


class Shelf:
    """The documents in `folder`, which is made when the first one comes; `meaning`: the models that
    find by it."""

    def __init__(self, folder: Path, meaning: Meaning) -> None:
        self.folder = folder
        self._meaning = meaning
        self._reading = asyncio.Semaphore(_READ_AT_ONCE)
        self._printing = asyncio.Lock()
        self._embedding = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @cached_property
    def _library(self) -> Library:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Library(self.folder / "library.db")

    def file(self, digest: str) -> Path:
        """Where the bytes with this digest are, or go."""
        return self.folder / digest

    def printed(self, digest: str) -> Path:
        """Where its pages as PDF are, or go."""
        return self.folder / f"{digest}.pdf"

    def unfinished(self, digest: str) -> Path:
        """Where what a model has answered about it is kept, until the answer is whole."""
        return self.folder / f".progress-{digest}"

    def files(self, digest: str) -> tuple[Path, ...]:
        """All that may be there of the bytes with this digest."""
        return (self.file(digest), self.printed(digest), self.unfinished(digest))

    async def read(self, document: Document, now: float) -> None:
        """Read a document whose file is there into the library.

        Raises:
            DocumentError: of the kind that says why it can't be read; what the library had under
                its name is gone.
            ConfigError: its file can't be opened.
            DatabaseError: the library can't be written.
        """
        place, path = _place(document), self.file(document.digest)
        async with self._reading:
            try:
                await ingest(self._library, path, place, datetime.fromtimestamp(now, UTC))
            except BaseException:
                await asyncio.to_thread(self._library.remove, place)
                raise
        task = asyncio.create_task(self._embed())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def remove(self, document: Document) -> None:
        """Take a document out of the library.

        Raises:
            DatabaseError: the library can't be written.
        """
        self._library.remove(_place(document))

    async def search(self, documents: Iterable[Document], question: str) -> list[Passage]:
        """What fits a question best in the collections of these documents, best first. Without the
        model that finds by meaning, if it does not answer, by words alone.

        Raises:
            DatabaseError: the library can't be read.
        """
        scopes = list(dict.fromkeys(_scope(one) for one in documents))
        embedder = await self._meaning.embedder()
        if embedder is not None:
            with contextlib.suppress(ServiceError, ModelError):
                return await search(self._library, question, scopes, _PASSAGES, embedder)
        return await search(self._library, question, scopes, _PASSAGES)

    def nearest(self, question: str, passages: Sequence[Passage]) -> list[Supported]:
        """The sentences of passages that have most of a question.

        Raises:
            DatabaseError: the library can't be read.
        """
        return supporting_sentences(asked_of(self._library, question), passages)

    def open(self, document: Document, spans: Sequence[Span]) -> list[Shown]:
        """The blocks around places of a document, the places marked.

        Raises:
            NotFound: the library does not have it.
            DatabaseError: the library can't be read.
        """
        return open_citation(self._library, [_scope(document)], self._held(document).id, spans)

    async def page(self, document: Document, span: Span) -> PageImage:
        """The page of a PDF with a place of it boxed; the span's anchor is not looked at.

        Raises:
            NotFound: the document has no such block, or no page to draw.
            DocumentError: its file can't be read.
            ConfigError: its file is gone.
            DatabaseError: the library can't be read.
        """
        shown = await asyncio.to_thread(self.open, document, [span])
        [anchor] = [one.block.anchor for one in shown if one.place == span.block] or [span.anchor]
        place = place_on_page(Span(span.block, span.start, span.end, anchor))
        if place is None:
            raise NotFound(f"{document.name!r} has no page to show there. Read it as text.")
        async with self._reading:
            return await draw_page(self.file(document.digest), document.name, place, _PAGE_PIXELS)

    async def preview(self, document: Document, page: int) -> PageImage:
        """A page as it is printed; that of an office file takes some seconds the first time.

        Raises:
            NotFound: the document has no pages.
            DocumentError: it can't be read or printed.
            ConfigError: there is no such page, or nothing on this machine prints it.
        """
        name, path = document.name, self.file(document.digest)
        if prints(name):
            printed = self.printed(document.digest)
            async with self._printing:
                if not printed.exists():
                    await print_pdf(path, name, printed)
            name, path = f"{name}.pdf", printed
        elif not name.lower().endswith(".pdf"):
            raise NotFound(f"{name!r} has no pages. Read it as text.")
        async with self._reading:
            return await draw_page(path, name, PlaceOnPage(page), _PAGE_PIXELS)

    async def text(self, document: Document) -> tuple[str, int]:
        """All of a document's text, and how many parts of it gave none.

        Raises:
            NotFound: the library does not have it.
            ConfigError: its file is gone.
            DatabaseError: the library can't be read.
        """
        async with self._reading:
            return await asyncio.to_thread(self._text, document)

    async def close(self) -> None:
        """End what goes on beside."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _held(self, document: Document) -> Held:
        """What the library knows of a document."""
        held = self._library.documents([_scope(document)])
        found = [one for one in held if one.place.name == document.name]
        if not found:
            raise NotFound(f"{document.name!r} is not read. Add it again.")
        return found[0]

    def _text(self, document: Document) -> tuple[str, int]:
        held = self._held(document)
        text = whole.written(self.file(document.digest), document.name)
        if text is None:
            blocks = self._library.blocks([_scope(document)], held.id, 0, Limits().blocks)
            text = whole.joined(block for _, block in blocks)
        return text, len(held.unread)

    async def _embed(self) -> None:
        """Let what is new be found by meaning too; what fails is tried with the next document."""
        async with self._embedding:
            embedder = await self._meaning.embedder()
            if embedder is not None:
                with contextlib.suppress(ServiceError, ModelError):
                    await embed_chunks(self._library, embedder)


def _scope(document: Document) -> Scope:
    return Scope(document.owner, str(document.collection))


def _place(document: Document) -> Place:
    return Place(document.owner, str(document.collection), document.name)
