"""A file through a model and back: what the verbs that change files have in common."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from archipel import config
from archipel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archipel.assistant.actions.acting import Reader
    from archipel.assistant.actions.table import Chosen
    from archipel.assistant.paperwork.journal import Journal
    from archipel.assistant.paperwork.working import Done, Work
    from archipel.documents.editing.apart import Opened

_SHOWN = 8  # lines of each kind, beside a report
_PARALLEL = 4
_MADE = {"correct": "corrected", "rewrite": "rewritten"}


@dataclass(frozen=True)
class Order:
    """What is to be done with `file`. With an `author` changes are tracked where they can be."""

    file: Path
    output: Path | None
    action: str
    fields: "Mapping[str, str]"
    model: str | None
    url: str
    author: str | None

    @property
    def target(self) -> Path:
        """Where the new file goes."""
        made = self.fields.get("target") or _MADE[self.action]
        return self.output or self.file.with_name(f"{self.file.stem}.{made}{self.file.suffix}")


def carry_out(
    order: Order, *, terms: Path | None = None, report: Path | None = None, overwrite: bool
) -> None:
    """Make the new file and say what was done.

    Raises:
        ArchipelError: it could not be made; what the model has answered is kept for the next time.
    """
    from archipel.assistant.actions.table import chosen
    from archipel.assistant.paperwork.terms import read_terms

    check_target(order.file, order.target, overwrite=overwrite)
    action = chosen(order.action, order.fields, 0, read_terms(terms) if terms else {})
    asyncio.run(_carry_out(order, action, report))


def check_target(file: Path, target: Path, *, overwrite: bool) -> None:
    """See that a new file can go there.

    Raises:
        ConfigError: it would take the place of the original, of another file, or has no folder.
    """
    if target.exists() and file.exists() and target.samefile(file):
        raise ConfigError(f"{target} is the file itself, which is not changed. Name another -o.")
    if target.exists() and not overwrite:
        raise ConfigError(f"{target} is there already. Name another -o, or add --overwrite.")
    if not target.parent.is_dir():
        raise ConfigError(f"there is no folder {target.parent}. Make it first.")


async def _carry_out(order: Order, action: "Chosen", report: Path | None) -> None:
    from archipel.assistant.paperwork.report import report as in_words
    from archipel.assistant.paperwork.working import Work
    from archipel.documents.editing.apart import change_file, open_file
    from archipel.documents.editing.stretches import Author
    from archipel.files import write_atomic

    opened = await open_file(order.file, order.file.name)
    with _journal(order.target) as journal:
        async with contextlib.AsyncExitStack() as stack:
            reader = await reader_for(stack, order.model, order.url, action)
            done = await _shown(Work(reader, action, journal), opened)
        date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        author = Author(order.author, date) if order.author else None
        write_atomic(order.target, await change_file(opened, done.changes, author))
        if report is not None:
            title = f"{order.file.name} → {order.target.name}"
            write_atomic(report, in_words(title, opened, done).encode())
    _say(order, opened, done, report)


@contextlib.contextmanager
def _journal(target: Path) -> Iterator["Journal"]:
    """What a model has answered for a file that is made; that it is kept is said where the work is
    ended before it is done."""
    from archipel.assistant.paperwork.journal import Journal

    is_done = False
    with Journal(target.with_name(f"{target.name}.progress")) as journal:
        try:
            yield journal
            is_done = True
        finally:
            if not is_done and len(journal):
                typer.echo(f"{len(journal)} answers are kept: the same command goes on.", err=True)


async def reader_for(
    stack: contextlib.AsyncExitStack, model: str | None, url: str, action: "Chosen"
) -> "Reader":
    """The model that does it: the one that is named, else of the service's the one that fits.

    Raises:
        ArchipelError: there is none.
    """
    from archipel.assistant.actions.acting import Reader
    from archipel.assistant.actions.prompts import is_asked_plainly
    from archipel.assistant.offers import Offer, read_offer
    from archipel.assistant.paperwork.choosing import fitting
    from archipel.cli.answering import answering

    service, names = await answering(stack, model, url, parallel=_PARALLEL)
    offers = [read_offer(told, is_here=True) for told in await service.models()]
    languages = [one for key, one in action.fields.items() if key in ("source", "target")]
    spoken = [one for one in languages if len(one) == 2]
    name = model if model in names else names[0] if service.url != url.rstrip("/") else None
    by_name = {offer.name: offer for offer in offers}
    offer = by_name.get(name, Offer(name)) if name else fitting(offers, action.action.name, spoken)
    tasks = offer.tasks if offer.tasks is not None else _tasks(model)
    return Reader(service, offer.name, offer.context, is_asked_plainly(action, tasks))


def _tasks(model: str | None) -> "tuple[str, ...] | None":
    """What a model of this disk is made for; None for others."""
    from archipel.errors import ModelError
    from archipel.models.here import find_purpose
    from archipel.serve.weights import name_models

    try:
        named = name_models([model], config.home()) if model else {}
    except ModelError:
        return None
    return next((find_purpose(Path(path), config.home()).tasks for path in named.values()), None)


async def _shown(work: "Work", opened: "Opened") -> "Done":
    """The work, with its progress on the screen."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(opened.name, total=len(opened.stretches))
        return await work.do(
            opened.stretches, lambda count, of: bar.update(task, completed=count, total=of)
        )


def _say(order: Order, opened: "Opened", done: "Done", report: Path | None) -> None:
    from archipel.assistant.paperwork.report import not_done, to_look_at

    changed = sum(
        change.text != opened.stretches[number].text for number, change in done.changes.items()
    )
    typer.echo(f"{order.target}: {changed} of {len(opened.stretches)} pieces of text changed")
    for heading, lines in (("to look at", to_look_at(done)), ("not done", not_done(opened.left))):
        if lines:
            typer.echo(f"{heading} ({len(lines)}):")
            for line in lines[:_SHOWN]:
                typer.echo(f"  {line}")
            if len(lines) > _SHOWN:
                rest = f"all are in {report}" if report else "--report FILE writes all of them"
                typer.echo(f"  … {rest}")
