"""Conversations taken out, as files, and brought in from other programs' exports."""

import asyncio
import errno
import json
import tempfile
from collections.abc import AsyncGenerator
from contextlib import ExitStack
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from archipel import config
from archipel.assistant.api.asked import Refused, answered
from archipel.assistant.desk import Desk
from archipel.assistant.history import conversations, messages
from archipel.assistant.people import WhoAsks
from archipel.assistant.transfer.archive import FILE_BYTES
from archipel.assistant.transfer.exporting import export, history
from archipel.assistant.transfer.importing import Event, bring
from archipel.assistant.transfer.values import line
from archipel.documents.making.made import KINDS, make_file

_NAME_CHARACTERS = 200
_AS_IT_COMES = {"Content-Encoding": "identity"}  # not gathered to be packed
_FORMS = {"md": "text/markdown; charset=utf-8", "json": "application/json"}


class Transfer:
    """Endpoints over the history of whoever asks."""

    def __init__(self, desk: Desk, who: WhoAsks) -> None:
        self._desk = desk
        self._who = who
        self._importing: set[str] = set()  # owners: each one file at a time

    def routes(self) -> list[BaseRoute]:
        """What the page calls."""
        one = "/api/conversations/{id:int}/export"
        return [
            Route(one, answered(self.export), methods=["GET"]),
            Route("/api/messages/{id:int}/file", answered(self.message), methods=["GET"]),
            Route("/api/export", answered(self.export_all), methods=["GET"]),
            Route("/api/import", answered(self.bring), methods=["POST"]),
        ]

    async def export(self, request: Request) -> Response:
        """A conversation as a file: `form` md for the branch that is shown, json for the tree."""
        owner, id_ = (await self._who(request)).owner, request.path_params["id"]
        form = request.query_params.get("form", "md")
        if form not in _FORMS:
            raise Refused(400, f"form is md or json, not {form[:40]!r}.")
        found = await self._desk.reading(lambda connection: export(connection, owner, id_))
        text = found.markdown if form == "md" else found.json
        headers = _download(f"{found.name}.{form}")
        return Response(text, media_type=_FORMS[form], headers=headers)

    async def message(self, request: Request) -> Response:
        """A message's text as an office file: `kind` docx (if none is given), pptx, or xlsx of its
        tables."""
        owner, id_ = (await self._who(request)).owner, request.path_params["id"]
        kind = f".{request.query_params.get('kind', 'docx')}"
        if kind not in KINDS:
            raise Refused(400, f"kind is docx, pptx or xlsx, not {kind[1:41]!r}.")

        def look(connection: Connection) -> tuple[str, str]:
            conversation, found = messages.find(connection, owner, id_)
            return conversations.find(connection, owner, conversation).title, found.text

        title, text = await self._desk.reading(look)
        name = f"{line(title, _NAME_CHARACTERS) or 'archipel'}{kind}"
        data = await asyncio.to_thread(make_file, name, text)
        return Response(data, media_type="application/octet-stream", headers=_download(name))

    async def export_all(self, request: Request) -> Response:
        """All conversations as a zip, as it is written."""
        owner = (await self._who(request)).owner
        stream = history(self._desk, owner)
        headers = _download("archipel.zip") | _AS_IT_COMES
        return StreamingResponse(stream, media_type="application/zip", headers=headers)

    async def bring(self, request: Request) -> Response:
        """The body is a file, `X-File-Name` its name, percent-encoded. The answer says what becomes
        of each conversation, as lines of JSON (see `transfer.importing.bring`); the last one has
        the kind `end`."""
        owner = (await self._who(request)).owner
        name = line(unquote(request.headers.get("x-file-name", "")), _NAME_CHARACTERS)
        if owner in self._importing:
            raise Refused(409, "Another import is under way. Wait until it ends.", "busy")
        self._importing.add(owner)
        try:
            file = await _received(request)
        except BaseException:
            self._importing.discard(owner)
            raise
        ended = ExitStack()  # each of these once: another import may have begun since
        ended.callback(self._importing.discard, owner)
        ended.callback(file.close)
        return _Report(bring(self._desk, owner, file, name or "?"), ended)


class _Report(StreamingResponse):
    """Events as lines of JSON; `ended` is closed before the last is sent, so that whoever has read
    it may begin another, and when whoever reads has left."""

    def __init__(self, events: AsyncGenerator[Event], ended: ExitStack) -> None:
        lines = _lines(events, ended)
        super().__init__(lines, media_type="application/x-ndjson", headers=_AS_IT_COMES)
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended.close()


async def _lines(events: AsyncGenerator[Event], ended: ExitStack) -> AsyncGenerator[str]:
    async for event in events:
        if event["kind"] == "end":
            ended.close()
        yield json.dumps(event, ensure_ascii=False) + "\n"


async def _received(request: Request) -> IO[bytes]:
    """The body in a file of its own, without a name.

    Raises:
        Refused: it is too large, or the disk has no room.
    """
    sent = request.headers.get("content-length", "0")
    if len(sent) > 15 or int(sent) > FILE_BYTES:
        raise _too_large()
    file = _spool(config.home())
    try:
        came = 0
        async for chunk in request.stream():
            came += len(chunk)
            if came > FILE_BYTES:
                raise _too_large()
            file.write(chunk)
        file.flush()
    except OSError as error:
        file.close()
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Refused(507, "The assistant's disk is full. Free some space.", "disk_full") from error
    except BaseException:
        file.close()
        raise
    return file


def _spool(folder: Path) -> IO[bytes]:
    """A file where there is room for one, which /tmp may not have; it goes when it is closed."""
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder)


def _too_large() -> Refused:
    return Refused(
        413, f"The file is over {FILE_BYTES / 1e9:.1f} GB. Import it in parts.", "too_large"
    )


def _download(name: str) -> dict[str, str]:
    plain = "".join(sign if sign.isascii() else "_" for sign in name)
    value = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
    return {"Content-Disposition": value}
