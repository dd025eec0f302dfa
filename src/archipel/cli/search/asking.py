"""archipel search "words": what was asked, found and printed."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from archipel.errors import ConfigError

if TYPE_CHECKING:
    from archipel.search.finding import Filters, Found
    from archipel.search.quoting import Quote


@dataclass(frozen=True)
class Wanted:
    """A query as the person gave it."""

    words: str
    kinds: Sequence[str]
    since: str | None
    before: str | None
    folder: Path | None
    limit: int

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
    """Print the hits.

    Raises:
        ConfigError: a filter is no good.
        DatabaseError: the index can't be read.
    """
    from archipel.search.finding import find, question_in
    from archipel.search.home import index_path, read
    from archipel.search.quoting import best_quote

    filters = wanted.filters()
    with read(index_path()) as connection:
        asked = question_in(connection, wanted.words)
        found = find(connection, asked, filters, wanted.limit)
    hits = [(one, best_quote(one.passage, asked)) for one in found]
    if json_form:
        typer.echo(json.dumps([_json(*hit) for hit in hits], ensure_ascii=False, indent=2))
    elif not hits:
        typer.echo("nothing found", err=True)
    for hit in [] if json_form else hits:
        _show(*hit)


def _show(found: "Found", quote: "Quote") -> None:
    from archipel.search.quoting import place_in_words

    where = place_in_words(quote.citation.spans[0].anchor)
    typer.secho(f"{found.path}" + (f", {where}" if where else ""), fg="cyan")
    if found.is_changed:
        typer.echo("  (changed since it was read: `archipel search index`)")
    for copy in found.copies:
        typer.echo(f"  (the same: {copy})")
    typer.echo(f"  {_marked(quote)}\n")


def _marked(quote: "Quote") -> str:
    """The quote with the found words bold on a terminal, between stars elsewhere."""
    text, done = "", 0
    for start, end in quote.marks:
        word = quote.citation.quote[start:end]
        shown = typer.style(word, bold=True) if sys.stdout.isatty() else f"*{word}*"
        text += quote.citation.quote[done:start] + shown
        done = end
    return text + quote.citation.quote[done:]


def _json(found: "Found", quote: "Quote") -> dict[str, Any]:
    first = quote.citation.spans[0]
    return {
        "path": str(found.path),
        "copies": [str(path) for path in found.copies],
        "title": found.passage.title,
        "modified": found.modified.isoformat(),
        "changed": found.is_changed,
        "anchor": first.anchor.to_json(),
        "quote": quote.citation.quote,
        "marks": [list(mark) for mark in quote.marks],
    }


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
