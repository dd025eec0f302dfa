"""archipel search add, remove and folders."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from archipel.errors import ConfigError

if TYPE_CHECKING:
    from archipel.search.census import Counted

_EXAMPLES, _EVERY = 3, 1_000_000
_KINDS = {
    "NotAllowed": "that you may not read",
    "ConfigError": "with names that are no text",
    "DocumentUnsupported": "of kinds that are not read",
    "DocumentCorrupt": "damaged",
    "DocumentLocked": "behind a password",
    "DocumentHasMacros": "with macros",
    "DocumentEmpty": "without text",
    "DocumentScanned": "of scanned pages",
    "DocumentTooLarge": "too large",
}


def add_folder(folder: Path) -> None:
    """Watch it.

    Raises:
        ConfigError: it is no folder, or belongs to one that is watched.
    """
    from archipel.search.home import index_path, written
    from archipel.search.walk import is_within

    path = folder.expanduser().resolve()
    if not path.is_dir():
        raise ConfigError(f"{str(folder)!r} is no folder. Give the path of one.")
    with written(index_path()) as index:
        for watched in index.folders():
            if is_within(str(path), watched):
                raise ConfigError(f"{path} is watched already, with {watched}.")
        index.add_folder(str(path), datetime.now(UTC))
    typer.echo(f"{path} is watched: `archipel search index` reads it, `watch` follows it")


def remove_folder(folder: Path) -> None:
    """Watch it no more.

    Raises:
        ConfigError: it is not watched.
    """
    from archipel.search.home import index_path, written

    path = str(folder.expanduser().resolve())
    with written(index_path()) as index:
        if path not in index.folders():
            known = ", ".join(index.folders()) or "nothing"
            raise ConfigError(f"{path} is not watched. Watched: {known}.")
        index.remove_folder(path)
    typer.echo(f"{path} is forgotten; its files are as they were")


def show_folders(*, every: bool, json_form: bool) -> None:
    """Print what is watched."""
    from archipel.search.census import census
    from archipel.search.home import index_path, read

    with read(index_path()) as connection:
        counted = census(connection, _EVERY if every or json_form else _EXAMPLES)
    if json_form:
        typer.echo(json.dumps([asdict(one) for one in counted], ensure_ascii=False, indent=2))
    elif not counted:
        typer.echo("no folder is watched: `archipel search add FOLDER`")
    for one in [] if json_form else counted:
        _show(one)


def _show(folder: "Counted") -> None:
    checked = folder.checked[:16].replace("T", " ") + " UTC" if folder.checked else "never yet"
    typer.echo(f"{folder.path}: {folder.read:,} files read, looked at {checked}")
    if folder.pictures:
        typer.echo(f"  {folder.pictures:,} pages or parts of these gave no text")
    for refusal in folder.refusals:
        typer.echo(f"  {refusal.count:,} {_KINDS.get(refusal.kind, refusal.kind)}")
        for path, reason in refusal.examples:
            typer.echo(f"    {path}: {reason}")
        if refusal.count > len(refusal.examples):
            typer.echo("    … `archipel search folders --all` names all of them")
