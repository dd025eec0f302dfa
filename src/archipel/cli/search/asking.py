"""archipel search "words": what was asked, found and answered."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from archipel.errors import ConfigError

if TYPE_CHECKING:
    from archipel.documents.citations import Checked
    from archipel.search.finding import Filters, Found
    from archipel.search.quoting import Quote
    from archipel.search.web import WebHit

_FOR_ANSWER, _OF_EACH = 10, 3  # passages for a model, and at most so many of one file


@dataclass(frozen=True)
class Wanted:
    """A query as the person gave it; `web` is the address of a SearXNG server."""

    words: str
    kinds: Sequence[str]
    since: str | None
    before: str | None
    folder: Path | None
    limit: int
    web: str | None

    def filters(self) -> "Filters":
        """What files count.

        Raises:
            ConfigError: a day is none.
        """
        from archipel.search.finding import Filters

        kinds = frozenset(kind.lower().removeprefix(".") for kind in self.kinds) or None
        folder = str(self.folder.expanduser().resolve()) if self.folder else None
        return Filters(kinds, _day(self.since), _day(self.before), folder)


def show_found(wanted: Wanted, *, json_form: bool) -> None:
    """Print the hits; what was found in the documents also when the web does not answer.

    Raises:
        ConfigError: a filter is no good, or the web does not answer.
        DatabaseError: the index can't be read.
    """
    from archipel.cli.search import printing

    hits = _hits(wanted, 1)
    if json_form:
        pages = _pages(wanted)
        printing.as_json(hits, pages)
        return
    printing.hits(hits)
    pages = _pages(wanted)
    printing.pages(pages)
    if not hits and not pages:
        typer.echo(_nothing(), err=True)


def show_answer(wanted: Wanted, model: str | None, url: str, *, json_form: bool) -> None:
    """Print a model's answer with its citations, and if it has none what was found.

    Raises:
        ConfigError: a filter is no good, the web does not answer, or no model does.
        DatabaseError: the index can't be read.
        ServiceError: the model gave no answer.
    """
    from archipel.cli.search import printing

    hits = _hits(wanted, _OF_EACH)[:_FOR_ANSWER]
    pages = _pages(wanted)
    checked = asyncio.run(_answered(wanted.words, hits, pages, model, url))
    paths = {found.passage.document: found.path for found, _ in hits}
    if json_form:
        printing.answer_as_json(checked, paths)
        return
    printing.answer(checked, paths)
    if not checked.citations and not checked.absent:
        typer.echo("\nIt quotes nothing. The nearest passages:\n")
        printing.hits(hits[: wanted.limit])


async def _answered(
    words: str,
    hits: "Sequence[tuple[Found, Quote]]",
    pages: "Sequence[WebHit]",
    model: str | None,
    url: str,
) -> "Checked":
    from contextlib import AsyncExitStack

    from archipel.chat import ChatService
    from archipel.cli.answering import answering
    from archipel.search.answering import answer

    passages = [found.passage for found, _ in hits]
    passages += [page.passage(number) for number, page in enumerate(pages, 1) if page.quote]
    async with AsyncExitStack() as stack:
        if not passages:  # nobody is asked
            return await answer(ChatService(url), "", words, ())
        service, names = await answering(stack, model, url)
        return await answer(service, model if model in names else names[0], words, passages)


def _hits(wanted: Wanted, of_each: int) -> "list[tuple[Found, Quote]]":
    """What is found in the documents, each with the words to show."""
    from archipel.search.finding import find, question_in
    from archipel.search.home import index_path, read
    from archipel.search.quoting import best_quote

    filters = wanted.filters()
    with read(index_path()) as connection:
        asked = question_in(connection, wanted.words)
        found = find(connection, asked, filters, wanted.limit, of_each)
    return [(one, best_quote(one.passage, asked)) for one in found]


def _nothing() -> str:
    """What to say when nothing is found."""
    from archipel.search.census import census
    from archipel.search.home import index_path, read

    with read(index_path()) as connection:
        folders = census(connection, 0)
    if not folders:
        return "nothing found: no folder is watched. `archipel search add FOLDER` adds one"
    if not all(folder.checked for folder in folders):
        return "nothing found; not all is read yet: `archipel search index` reads it"
    return "nothing found"


def _pages(wanted: Wanted) -> "list[WebHit]":
    """What the web has, if somebody said whom to ask."""
    from archipel.search.web import search_web

    if wanted.web is None:
        return []
    return asyncio.run(search_web(wanted.web, wanted.words, wanted.limit))


def _day(text: str | None) -> datetime | None:
    """Midnight, here, at the beginning of a day.

    Raises:
        ConfigError: it is no day.
    """
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is no day: write it as 2026-01-31.") from error
    return datetime(day.year, day.month, day.day).astimezone()
