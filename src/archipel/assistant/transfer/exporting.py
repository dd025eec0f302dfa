"""One conversation, or all of one's history, out of the database: read one by one, sent as it is
read."""

import asyncio
import contextlib
import io
import json
import zipfile
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, TypeVar, cast

from sqlalchemy import Connection, select

from archipel.assistant.desk import Desk
from archipel.assistant.history import conversations, folders, messages, pictures
from archipel.assistant.history.conversations import Conversation
from archipel.assistant.history.messages import Message
from archipel.assistant.history.pictures import Kept
from archipel.assistant.history.tables import conversations as table
from archipel.assistant.transfer import markdown
from archipel.assistant.transfer.forms import own
from archipel.assistant.transfer.pictured import fitting, link, written
from archipel.errors import NotFound

HISTORY_FORMAT = "archipel-history"
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Exported:
    """A conversation in both forms: the shown branch to read, and the whole tree to import. Both
    hold its `pictures`, as far as they fit into a file of text."""

    conversation: Conversation
    tree: Sequence[Message]
    pictures: Sequence[Kept]
    json: str
    _files: Mapping[int, bytes]  # of the pictures that fit

    @property
    def name(self) -> str:
        """Of a file, without its ending."""
        return markdown.file_name(self.conversation)

    @property
    def markdown(self) -> str:
        """The text with its pictures."""
        return self._text(self._inside)

    def markdown_beside(self, folder: str) -> str:
        """The text for a file beside those of its pictures in a folder."""
        return self._text(lambda one: f"{folder}/{one.name}")

    def _inside(self, one: Kept) -> str | None:
        data = self._files.get(one.id)
        return None if data is None else link(one, data)

    def _text(self, address: Callable[[Kept], str | None]) -> str:
        branch = messages.branch(self.tree, self.conversation.shown)
        return markdown.written(self.conversation, branch, _by_message(self.pictures, address))


def export(connection: Connection, owner: str, conversation: int) -> Exported:
    """One of the owner's.

    Raises:
        NotFound: it is not there, or another's.
    """
    found = conversations.find(connection, owner, conversation)
    tree = messages.all_of(connection, owner, conversation)
    source = connection.execute(select(table.c.source).where(table.c.id == conversation)).scalar()
    folder = None if found.folder is None else folders.find(connection, owner, found.folder).name
    kept = pictures.listed(connection, conversation)
    files = {one.id: pictures.find(connection, owner, one.id).data for one in fitting(kept)}
    drawn = _by_message(kept, lambda one: written(one, files.get(one.id)))
    return Exported(
        found, tree, kept, _json(own.written(found, source, folder, tree, drawn)), files
    )


async def history(desk: Desk, owner: str) -> AsyncGenerator[bytes]:
    """All of an owner's conversations as a zip: `conversations/ID.json`, `markdown/NAME-ID.md`, all
    their pictures in `pictures/`, and at its end `manifest.json`, which says what is in it. What is
    erased meanwhile is not."""
    ids = await desk.reading(lambda connection: _ids(connection, owner))
    out = _Pieces()
    listed: list[dict[str, Any]] = []
    with zipfile.ZipFile(cast("IO[bytes]", out), "w", zipfile.ZIP_DEFLATED) as archive:
        for id_ in ids:
            try:
                one = await desk.reading(partial(export, owner=owner, conversation=id_))
            except NotFound:
                continue
            names = f"conversations/{id_}.json", f"markdown/{one.name}-{id_}.md"
            texts = one.json, one.markdown_beside("../pictures")
            for name, text in zip(names, texts, strict=True):
                await asyncio.to_thread(archive.writestr, name, text)
            about = {"title": one.conversation.title, "messages": len(one.tree)}
            listed.append({"file": names[0], **about})
            yield out.taken()
            for picture in one.pictures:
                await _add_picture(archive, desk, owner, picture)
                yield out.taken()
        manifest = {
            "format": HISTORY_FORMAT,
            "version": own.VERSION,
            "exported": desk.clock(),
            "conversations": listed,
        }
        archive.writestr("manifest.json", _json(manifest))
    yield out.taken()


async def _add_picture(archive: zipfile.ZipFile, desk: Desk, owner: str, picture: Kept) -> None:
    find = partial(pictures.find, owner=owner, picture=picture.id)
    with contextlib.suppress(NotFound):
        data = (await desk.reading(find)).data
        archive.writestr(f"pictures/{picture.name}", data, zipfile.ZIP_STORED)


class _Pieces(io.RawIOBase):
    """What a zip is written to: it can't be gone back in, and is taken away as it comes."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._held += data
        return len(data)

    def taken(self) -> bytes:
        taken = bytes(self._held)
        self._held.clear()
        return taken


def _ids(connection: Connection, owner: str) -> list[int]:
    query = select(table.c.id).where(table.c.owner == owner).order_by(table.c.id)
    return list(connection.execute(query).scalars())


def _by_message(kept: Iterable[Kept], made: Callable[[Kept], _Made]) -> dict[int, list[_Made]]:
    """What is made of pictures, by their messages."""
    found: dict[int, list[_Made]] = {}
    for one in kept:
        found.setdefault(one.message, []).append(made(one))
    return found


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
