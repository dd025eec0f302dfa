"""One's own folders on this machine, as `archipel search` has indexed them: searched, and their
files opened. Only where the page is for whoever sits at the machine.
"""

import asyncio
from datetime import date, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from archipel.assistant.api.asked import Refused, answered
from archipel.errors import NotFound
from archipel.search.census import Counted, census
from archipel.search.finding import Filters, Found, find, question_in
from archipel.search.home import index_path, read
from archipel.search.quoting import Quote, best_quote

_CHARACTERS = 1_000  # of a question
_HITS = 20
_HEADERS = {"Content-Security-Policy": "default-src 'none'; sandbox"}


class Files:
    """Endpoints over the index of the person who runs the assistant."""

    def routes(self) -> list[BaseRoute]:
        """What the page calls."""
        return [
            Route("/api/files", answered(self.listed)),
            Route("/api/files/find", answered(self.find)),
            Route("/api/files/file", answered(self.file)),
        ]

    async def listed(self, request: Request) -> Response:
        """The folders, with how many files were read and how many were not."""
        found = await asyncio.to_thread(_census)
        return JSONResponse({"folders": [_counted(one) for one in found]})

    async def find(self, request: Request) -> Response:
        """What fits the words of `q` best: `type` (as pdf), `since` and `before` (days) and
        `folder` say which files count."""
        words = request.query_params.get("q", "")
        if not words.strip() or len(words) > _CHARACTERS:
            raise Refused(400, f"q has 1 to {_CHARACTERS:,} characters, not {len(words):,}.")
        filters = _filters(request)
        hits = await asyncio.to_thread(_find, words, filters)
        return JSONResponse({"hits": [_hit(*one) for one in hits]})

    async def file(self, request: Request) -> Response:
        """A file of the index, to be saved."""
        path = Path(request.query_params.get("path", ""))
        if not await asyncio.to_thread(_is_held, path):
            raise NotFound(f"{str(path)[:200]!r} is not in the index, or gone.")
        kind = "application/octet-stream"
        return FileResponse(path, filename=path.name, media_type=kind, headers=_HEADERS)


def _census() -> list[Counted]:
    with read(index_path()) as connection:
        return census(connection, 0)


def _find(words: str, filters: Filters) -> list[tuple[Found, Quote]]:
    with read(index_path()) as connection:
        asked = question_in(connection, words)
        found = find(connection, asked, filters, _HITS)
    return [(one, best_quote(one.passage, asked)) for one in found]


def _is_held(path: Path) -> bool:
    with read(index_path()) as connection:
        query = "SELECT 1 FROM files WHERE path = ? AND text NOT NULL"
        held = connection.execute(query, (str(path),)).fetchone()
    return held is not None and path.is_file() and not path.is_symlink()


def _filters(request: Request) -> Filters:
    kind, folder = (request.query_params.get(name) for name in ("type", "folder"))
    types = frozenset((kind.lower().removeprefix("."),)) if kind else None
    return Filters(types, _day(request, "since"), _day(request, "before"), folder or None)


def _day(request: Request, name: str) -> datetime | None:
    """Midnight, here, at the beginning of a day.

    Raises:
        Refused: it is no day.
    """
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Refused(400, f"{name} is a day such as 2026-01-31, not {text[:40]!r}.") from None
    return datetime(day.year, day.month, day.day).astimezone()


def _counted(one: Counted) -> dict[str, Any]:
    refused = sum(refusal.count for refusal in one.refusals)
    return {"path": one.path, "read": one.read, "refused": refused, "checked": one.checked}


def _hit(one: Found, quote: Quote) -> dict[str, Any]:
    return {
        "path": str(one.path),
        "name": one.path.name,
        "copies": [str(path) for path in one.copies],
        "modified": one.modified.timestamp(),
        "changed": one.is_changed,
        "anchor": quote.citation.spans[0].anchor.to_json(),
        "quote": quote.citation.quote,
        "marks": quote.marks,
    }
