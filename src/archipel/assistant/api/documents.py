"""One's collections and documents, and those that are shared with one: added, listed, opened at a
place, shared, deleted."""

import asyncio
import json
import re
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from pydantic import Field
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from archipel.assistant.api.asked import Asked, Refused, answered, number, read
from archipel.assistant.desk import Desk
from archipel.assistant.history.named import NAME_CHARACTERS
from archipel.assistant.library import collections, documents
from archipel.assistant.library.collections import Collection
from archipel.assistant.library.documents import Document
from archipel.assistant.library.keeping import Keeping, kind_of
from archipel.assistant.library.receiving import received, too_large
from archipel.assistant.library.shelf import Shelf
from archipel.assistant.people import WhoAsks, name_of
from archipel.documents.blocks import Anchor, Limits
from archipel.documents.citations import Span
from archipel.documents.collector import tidy
from archipel.documents.viewing import Shown
from archipel.errors import DocumentError, DocumentTooLarge

_NAME_CHARACTERS = 200
_PROJECT_CHARACTERS = 64
_FILE_BYTES = Limits().input_bytes
_SPAN = r"\d{1,6}-\d{1,8}-\d{1,8}"
_SPANS = re.compile(rf"{_SPAN}(?:,{_SPAN}){{0,19}}", re.ASCII)
_BLOCKS = 100  # that a place may go over
_HEADERS = {"Content-Security-Policy": "default-src 'none'; sandbox"}


class _Named(Asked):
    name: str = Field(min_length=1, max_length=4 * NAME_CHARACTERS)


class _Shared(Asked):
    project: str = Field(min_length=1, max_length=_PROJECT_CHARACTERS)


class Documents:
    """Endpoints over the documents that whoever asks may read. `who` tells of projects what is so
    now. `has_folders`: the page can search folders of this machine, too."""

    def __init__(
        self, desk: Desk, who: WhoAsks, shelf: Shelf, *, has_folders: bool = False
    ) -> None:
        self._desk = desk
        self._who = who
        self._shelf = shelf
        self._has_folders = has_folders
        self._keeping = Keeping(desk, shelf)
        # Each person one file at a time, and of a collection's names each one at a time.
        self._adding: set[str | tuple[int, str]] = set()

    def routes(self) -> list[BaseRoute]:
        """What the page calls."""
        collection, document = "/api/collections/{id:int}", "/api/documents/{id:int}"
        calls = {
            ("GET", "/api/collections"): self.listed,
            ("POST", "/api/collections"): self.make,
            ("PATCH", collection): self.rename,
            ("DELETE", collection): self.erase_collection,
            ("PUT", f"{collection}/share"): self.share,
            ("DELETE", f"{collection}/share"): self.unshare,
            ("GET", f"{collection}/documents"): self.documents,
            ("POST", f"{collection}/documents"): self.add,
            ("DELETE", document): self.erase,
            ("GET", f"{document}/file"): self.file,
            ("GET", f"{document}/place"): self.place,
            ("GET", f"{document}/page"): self.page,
            ("GET", f"{document}/preview"): self.preview,
        }
        return [
            Route(path, answered(endpoint), methods=[method])
            for (method, path), endpoint in calls.items()
        ]

    async def listed(self, request: Request) -> Response:
        """All collections, by name, the projects that one's own can be shared with, and whether
        there are folders to search."""
        person = await self._who(request)
        found = await self._desk.reading(lambda c: collections.listed(c, person))
        told = [_told(one) for one in found]
        beside = {"projects": sorted(person.projects), "folders": self._has_folders}
        return JSONResponse({"collections": told, **beside})

    async def make(self, request: Request) -> Response:
        """A new collection."""
        person, sent = await self._who(request), await read(request, _Named)
        made = await self._desk.writing(lambda c, _: collections.make(c, person, sent.name))
        return JSONResponse(_told(made))

    async def rename(self, request: Request) -> Response:
        """Another name for a collection."""
        person, id_ = await self._who(request), request.path_params["id"]
        name = (await read(request, _Named)).name
        named = await self._desk.writing(lambda c, _: collections.rename(c, person, id_, name))
        return JSONResponse(_told(named))

    async def share(self, request: Request) -> Response:
        """Share a collection with a project, and with no other."""
        person, id_ = await self._who(request), request.path_params["id"]
        project = (await read(request, _Shared)).project
        shared = await self._desk.writing(lambda c, _: collections.share(c, person, id_, project))
        return JSONResponse(_told(shared))

    async def unshare(self, request: Request) -> Response:
        """Share a collection with nobody."""
        person, id_ = await self._who(request), request.path_params["id"]
        own = await self._desk.writing(lambda c, _: collections.unshare(c, person, id_))
        return JSONResponse(_told(own))

    async def erase_collection(self, request: Request) -> Response:
        """Delete a collection with its documents."""
        person = await self._who(request)
        await self._keeping.erase_collection(person, request.path_params["id"])
        return Response(status_code=204)

    async def documents(self, request: Request) -> Response:
        """The documents of a collection, by name."""
        person, id_ = await self._who(request), request.path_params["id"]
        found = await self._desk.reading(lambda c: documents.listed(c, person, id_))
        return JSONResponse({"documents": [asdict(one) for one in found]})

    async def add(self, request: Request) -> Response:
        """The body is a file, `X-File-Name` its name, percent-encoded. Answers when it is read,
        with the document; one of the same name is replaced."""
        person, id_ = await self._who(request), request.path_params["id"]
        name = file_name(unquote(request.headers.get("x-file-name", "")))
        await self._desk.reading(lambda c: collections.find(c, person, id_, "edit"))
        taken: set[str | tuple[int, str]] = {person.owner, (id_, name)}
        if taken & self._adding:
            raise Refused(409, "Another file is being read. Wait for it.", "document_busy")
        self._adding |= taken
        try:
            sent = request.headers.get("content-length", "0")
            if len(sent) > 15 or int(sent) > _FILE_BYTES:
                raise too_large(_FILE_BYTES)
            file = await received(request.stream(), self._shelf.folder, _FILE_BYTES)
            added = await self._keeping.add(person, id_, name, file)
        except DocumentTooLarge as error:
            raise Refused(413, str(error), "document_too_large") from error
        finally:
            self._adding -= taken
        return JSONResponse(asdict(added))

    async def erase(self, request: Request) -> Response:
        """Delete a document."""
        await self._keeping.erase(await self._who(request), request.path_params["id"])
        return Response(status_code=204)

    async def file(self, request: Request) -> Response:
        """The document as it was given, to be saved."""
        document = await self._found(request)
        path = self._shelf.file(document.digest)
        kind = "application/octet-stream"
        return FileResponse(path, filename=document.name, media_type=kind, headers=_HEADERS)

    async def place(self, request: Request) -> Response:
        """The text around a place of a document, in `blocks` of `pieces` of text, each with whether
        it is marked."""
        document, spans = await self._found(request), _spans(request)
        shown = await asyncio.to_thread(self._shelf.open, document, spans)
        return JSONResponse({"name": document.name, "blocks": [_shown(one) for one in shown]})

    async def page(self, request: Request) -> Response:
        """The page of a PDF that a place is on, as PNG. `X-Boxes`: what to mark, as left, top,
        right, bottom in pixels."""
        document, spans = await self._found(request), _spans(request)
        try:
            drawn = await self._shelf.page(document, spans[0])
        except DocumentError as error:
            raise Refused(422, str(error), f"document_{kind_of(error)}") from error
        headers = {**_HEADERS, "X-Boxes": json.dumps(drawn.boxes)}
        return Response(drawn.png, media_type="image/png", headers=headers)

    async def preview(self, request: Request) -> Response:
        """A `page` as it is printed, as PNG. `X-Pages`: how many there are."""
        document = await self._found(request)
        page = number(request, "page", 1, Limits().pages)
        try:
            drawn = await self._shelf.preview(document, page)
        except DocumentError as error:
            raise Refused(422, str(error), f"document_{kind_of(error)}") from error
        headers = {
            **_HEADERS,
            "X-Pages": str(drawn.pages),
            "Cache-Control": "private, max-age=3600",
        }
        return Response(drawn.png, media_type="image/png", headers=headers)

    async def _found(self, request: Request) -> Document:
        """The document; where the URL has its digest, only with these bytes."""
        person, id_ = await self._who(request), request.path_params["id"]
        document = await self._desk.reading(lambda c: documents.find(c, person, id_))
        if request.query_params.get("digest", document.digest) != document.digest:
            raise Refused(
                410, f"{document.name!r} is another file now. Ask again.", "document_changed"
            )
        return document


def _told(one: Collection) -> dict[str, Any]:
    """As the page has it: `owner` is the name of who shares it, null where it is one's own."""
    return {**asdict(one), "owner": None if one.may == "own" else name_of(one.owner)}


def file_name(sent: str) -> str:
    """A name in one line, without folders, the end with its suffix kept. Pure.

    Raises:
        Refused: there is none.
    """
    last = PurePosixPath(sent.replace("\\", "/")).name
    name = tidy("".join(sign if sign.isprintable() else " " for sign in last))
    if not name:
        raise Refused(400, f"X-File-Name has the file's name, not {sent[:80]!r}.")
    return name if len(name) <= _NAME_CHARACTERS else f"…{name[1 - _NAME_CHARACTERS :]}"


def _spans(request: Request) -> list[Span]:
    """The places that `spans` has: block-start-end, with commas between.

    Raises:
        Refused: it is something else, or too far apart.
    """
    sent = request.query_params.get("spans", "")
    if not _SPANS.fullmatch(sent):
        raise Refused(400, f"spans are like 3-0-20,4-0-8, not {sent[:40]!r}.")
    places = [tuple(map(int, one.split("-"))) for one in sent.split(",")]
    blocks = [block for block, _, _ in places]
    if max(blocks) - min(blocks) > _BLOCKS:
        raise Refused(400, f"spans go over {_BLOCKS} blocks at most, not {sent[:40]!r}.")
    return [Span(block, start, end, Anchor()) for block, start, end in places]


def _shown(one: Shown) -> dict[str, Any]:
    text, done = one.block.text, 0
    pieces: list[tuple[str, bool]] = []
    for start, end in one.marks:
        pieces += [(text[done:start], False), (text[max(done, start) : end], True)]
        done = max(done, end)
    pieces.append((text[done:], False))
    return {
        "place": one.place,
        "anchor": one.block.anchor.to_json(),
        "headings": one.block.headings,
        "pieces": [piece for piece in pieces if piece[0]],
    }
