"""archipel search: one's own folders, indexed where they lie, and what stands in them."""

from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from archipel import config


class _QueryOrCommand(TyperGroup):
    """Words that are no command are a query: `archipel search "lease"` is `search find "lease"`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help"):
            args = ["find", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_QueryOrCommand,
    help="Search your own folders. Files stay where they are; an index of their words is kept in "
    "ARCHIPEL_HOME, for you alone.\n\n"
    'Example: archipel search add ~/Documents, archipel search index, archipel search "lease"',
    no_args_is_help=True,
)


@app.command()
def add(folder: Path = typer.Argument(help="A folder; all below it belongs to it.")) -> None:
    """Watch a folder. It is read by `index` or `watch`.

    Example: archipel search add ~/Documents
    """
    from archipel.cli.search.folders import add_folder

    add_folder(folder)


@app.command()
def remove(folder: Path = typer.Argument(help="A folder that was added.")) -> None:
    """Watch a folder no more, and forget what was read from it. Its files stay as they are.

    Example: archipel search remove ~/Documents/old
    """
    from archipel.cli.search.folders import remove_folder

    remove_folder(folder)


@app.command()
def folders(
    every: bool = typer.Option(False, "--all", help="Name every file that was not read."),
    json_form: bool = typer.Option(False, "--json", help="As JSON."),
) -> None:
    """What is watched, how much of it was read, and what was not and why.

    Example: archipel search folders --all
    """
    from archipel.cli.search.folders import show_folders

    show_folders(every=every, json_form=json_form)


@app.command()
def index() -> None:
    """Bring the index up to date: only what changed is read. Stopped, it goes on where it was.

    Example: archipel search index
    """
    from archipel.cli.search.following import index_once

    index_once()


@app.command()
def watch() -> None:
    """Bring the index up to date and keep it so, until Ctrl-C.

    Example: archipel search watch
    """
    from archipel.cli.search.following import keep_watching

    keep_watching()


@app.command()
def find(
    words: list[str] = typer.Argument(help="What you look for: words or a question."),
    kinds: list[str] | None = typer.Option(
        None, "--type", "-t", help="Only files of this type, as pdf; can be repeated."
    ),
    since: str | None = typer.Option(None, help="Only files changed on this day or later."),
    before: str | None = typer.Option(None, help="Only files changed before this day."),
    folder: Path | None = typer.Option(None, "--in", help="Only files below this folder."),
    limit: int = typer.Option(10, "--limit", "-n", min=1, max=100, help="So many files at most."),
    answer: bool = typer.Option(
        False, "--answer", "-a", help="Let a model answer, in words that it quotes from the files."
    ),
    model: str | None = typer.Option(
        None, "--model", "-m", help="For --answer: a model of the service, or one on this disk."
    ),
    url: str = typer.Option("http://127.0.0.1:8080/v1", help="For --answer: a service."),
    web: str | None = typer.Option(
        None,
        help="Ask this SearXNG server too; it is sent the words, nothing else.  "
        "[default: ARCHIPEL_SEARXNG, or no web]",
    ),
    json_form: bool = typer.Option(False, "--json", help="As JSON."),
) -> None:
    """Find passages; `archipel search "words"` is the same.

    Example: archipel search "notice period" --type pdf --since 2026-01-01 --in ~/Documents
    """
    from archipel.cli.search.asking import Wanted, show_answer, show_found

    address = web or config.searxng()
    wanted = Wanted(" ".join(words), kinds or [], since, before, folder, limit, address)
    if answer:
        show_answer(wanted, model, url, json_form=json_form)
    else:
        show_found(wanted, json_form=json_form)
