"""One conversation, or all of one's history, out of the database: read one by one, sent as it is
read."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, cast

from sqlalchemy import Connection, select

from archipel.assistant.desk import Desk
from archipel.assistant.history import conversations, folders, messages
from archipel.assistant.history.tables import conversations as table
from archipel.assistant.transfer import markdown
from archipel.assistant.transfer.forms import own
from archipel.errors import NotFound

HISTORY_FORMAT = "archipel-history"


@dataclass(frozen=True)
class Exported:
    """A conversation in both forms: the shown branch to read, and the whole tree to import."""

    name: str  # of a file, without its ending
    title: str
    messages: int
    markdown: str
    json: str


def export(connection: Connection, owner: str, conversation: int) -> Exported:
    """One of the owner's.

    Raises:
        NotFound: it is not there, or another's.
    """
    found = conversations.find(connection, owner, conversation)
    tree = messages.all_of(connection, owner, conversation)
    source = connection.execute(select(table.c.source).where(table.c.id == conversation)).scalar()
    folder = None if found.folder is None else folders.find(connection, owner, found.folder).name
    return Exported(
        name=markdown.file_name(found),
        title=found.title,
        messages=len(tree),
        markdown=markdown.written(found, messages.branch(tree, found.shown)),
        json=_written(own.written(found, source, folder, tree)),
    )


async def history(desk: Desk, owner: str) -> AsyncGenerator[bytes]:
    """All of an owner's conversations as a zip: `conversations/ID.json`, `markdown/NAME-ID.md`, and
    at its end `manifest.json`, which says what is in it. One that is erased meanwhile is not."""
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
            for name, text in zip(names, (one.json, one.markdown), strict=True):
                await asyncio.to_thread(archive.writestr, name, text)
            listed.append({"file": names[0], "title": one.title, "messages": one.messages})
            yield out.taken()
        manifest = {
            "format": HISTORY_FORMAT,
            "version": own.VERSION,
            "exported": desk.clock(),
            "conversations": listed,
        }
        archive.writestr("manifest.json", _written(manifest))
    yield out.taken()


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


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
