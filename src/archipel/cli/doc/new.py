"""A new file of a text or of an outline."""

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path

import typer

from archipel.cli.doc.work import check_target, reader_for
from archipel.errors import ConfigError

_BYTES = 64 << 20  # of a template


def make_of(text: Path, output: Path, template: Path | None, *, overwrite: bool) -> None:
    """Make the file of a Markdown text.

    Raises:
        ArchipelError: it can't be made.
    """
    check_target(text, output, overwrite=overwrite)
    _make(output, _text(text), template)


def draft_of(
    outline: Path,
    output: Path,
    template: Path | None,
    fields: Mapping[str, str],
    model: str | None,
    url: str,
    *,
    overwrite: bool,
) -> None:
    """Have the outline written out and make the file.

    Raises:
        ArchipelError: it can't be made.
    """
    check_target(outline, output, overwrite=overwrite)
    _make(output, asyncio.run(_draft(_text(outline), fields, model, url)), template)


async def _draft(outline: str, fields: Mapping[str, str], model: str | None, url: str) -> str:
    from rich.console import Console
    from rich.progress import Progress

    from archipel.assistant.actions.table import chosen
    from archipel.assistant.paperwork.drafting import draft

    action = chosen("draft", fields, len(outline))
    console = Console(stderr=True)
    async with contextlib.AsyncExitStack() as stack:
        reader = await reader_for(stack, model, url, action)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("sections", total=None)
            return await draft(
                reader, action, outline, lambda n, of: bar.update(task, completed=n, total=of)
            )


def _make(output: Path, text: str, template: Path | None) -> None:
    from archipel.documents.making.made import make_file
    from archipel.files import write_atomic

    if output.suffix == ".md":
        write_atomic(output, text.encode())
    else:
        write_atomic(output, make_file(output.name, text, _template(output, template)))
    typer.echo(f"{output}: {len(text.split())} words")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't read {path} as text in UTF-8: {error}.") from error


def _template(output: Path, template: Path | None) -> bytes | None:
    """The template's bytes, once it is known that no trap is in them."""
    from archipel.documents.blocks import Limits
    from archipel.documents.formats.package import check_package

    if template is None:
        return None
    if template.suffix.lower() != output.suffix.lower():
        raise ConfigError(
            f"{template} is no template of a {output.suffix} file: name one of these."
        )
    try:
        data = template.read_bytes()
    except OSError as error:
        raise ConfigError(f"can't read the template {template}: {error.strerror}.") from error
    if len(data) > _BYTES:
        raise ConfigError(f"{template} has {len(data):,} bytes; {_BYTES:,} are the most.")
    check_package(template.name, data, Limits())
    return data
