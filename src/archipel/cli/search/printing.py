"""How hits and answers look: on a terminal, in a pipe, as JSON.

What comes from files and from the web may hold signs that a terminal obeys; these are not printed.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from archipel.documents.places import place_in_words

if TYPE_CHECKING:
    from archipel.documents.citations import Checked, Citation
    from archipel.search.finding import Found
    from archipel.search.quoting import Quote
    from archipel.search.web import WebHit

_BLANKS = " \u00a0\u202f\t"
Hits = Sequence[tuple["Found", "Quote"]]


def hits(found: Hits) -> None:
    """Each with its file, place and quote."""
    for one, quote in found:
        where = place_in_words(quote.citation.spans[0].anchor)
        typer.secho(_plain(f"{one.path}" + (f", {where}" if where else "")), fg="cyan")
        if one.is_changed:
            typer.echo("  (changed since it was read: `archipel search index`)")
        for copy in one.copies:
            typer.echo(_plain(f"  (the same: {copy})"))
        typer.echo(f"  {_marked(quote)}\n")


def pages(found: "Sequence[WebHit]") -> None:
    """Pages of the web, told from one's own files."""
    if found:
        typer.echo("From the web:\n")
    for page in found:
        typer.secho(_plain(page.title), fg="cyan")
        typer.echo(f"  {_plain(page.url)}")
        typer.echo(f"  « {_plain(page.quote)} »\n" if page.quote else "")


def as_json(found: Hits, web: "Sequence[WebHit]") -> None:
    """A list of hits: those with `path` are files, those with `url` pages."""
    listed: list[dict[str, Any]] = [
        {
            "path": str(one.path),
            "copies": [str(path) for path in one.copies],
            "title": one.passage.title,
            "modified": one.modified.isoformat(),
            "changed": one.is_changed,
            "anchor": quote.citation.spans[0].anchor.to_json(),
            "quote": quote.citation.quote,
            "marks": [list(mark) for mark in quote.marks],
        }
        for one, quote in found
    ]
    listed += [{"url": page.url, "title": page.title, "quote": page.quote} for page in web]
    typer.echo(json.dumps(listed, ensure_ascii=False, indent=2))


def answer(checked: "Checked", paths: Mapping[int, Path]) -> None:
    """The answer, then what each number stands for."""
    typer.echo("\n".join(_plain(line) for line in checked.text.splitlines()))
    if checked.unverified:
        count = len(checked.unverified)
        typer.echo(f"\n(quotes that stand in no document, so without a number: {count})")
    for number, citation in enumerate(checked.citations, 1):
        where = place_in_words(citation.spans[0].anchor)
        source = _source(citation, paths) + (f", {where}" if where else "")
        typer.secho(_plain(f"\n[{number}] {source}"), fg="cyan")
        typer.echo(f"  « {_plain(citation.quote)} »")


def answer_as_json(checked: "Checked", paths: Mapping[int, Path]) -> None:
    """The answer with its citations by number."""
    cited = [
        {
            "number": number,
            "source": _source(citation, paths),
            "anchor": citation.spans[0].anchor.to_json(),
            "quote": citation.quote,
        }
        for number, citation in enumerate(checked.citations, 1)
    ]
    value = {
        "answer": checked.text,
        "citations": cited,
        "unverified": len(checked.unverified),
        "absent": checked.absent,
    }
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _source(citation: "Citation", paths: Mapping[int, Path]) -> str:
    """The path of the file, or the address of the page."""
    path = paths.get(citation.passage.document)
    return citation.passage.place.name if path is None else str(path)


def _marked(quote: "Quote") -> str:
    """The quote with the found words bold on a terminal, between stars elsewhere."""
    words = _plain(quote.citation.quote)
    text, done = "", 0
    for start, end in quote.marks:
        word = words[start:end]
        shown = typer.style(word, bold=True) if sys.stdout.isatty() else f"*{word}*"
        text += words[done:start] + shown
        done = end
    return text + words[done:]


def _plain(text: str) -> str:
    """As it is, but for each sign that is not printed."""
    return "".join(char if char.isprintable() or char in _BLANKS else "\ufffd" for char in text)
