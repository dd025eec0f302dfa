"""A file's summary, printed or as a file of its own."""

import asyncio
import contextlib
import io
from collections.abc import Mapping
from pathlib import Path

import typer

from archipel.cli.doc.work import check_target, reader_for
from archipel.errors import ConfigError

_KINDS = (".docx", ".md", ".txt")


def summarise_file(
    file: Path,
    output: Path | None,
    fields: Mapping[str, str],
    model: str | None,
    url: str,
    *,
    overwrite: bool,
) -> None:
    """Print the summary as it grows, or write it.

    Raises:
        ArchipelError: it could not be made.
    """
    if output is not None:
        if output.suffix not in _KINDS:
            raise ConfigError(f"{output}: a summary is {', '.join(_KINDS)}. Name such a file.")
        check_target(file, output, overwrite=overwrite)
    asyncio.run(_summarise(file, output, fields, model, url))


async def _summarise(
    file: Path, output: Path | None, fields: Mapping[str, str], model: str | None, url: str
) -> None:
    from archipel.assistant.actions.acting import act
    from archipel.assistant.actions.table import chosen
    from archipel.documents.reading import read_document
    from archipel.documents.whole import joined, written
    from archipel.files import write_atomic

    text = written(file, file.name) if file.is_file() else None
    document = await read_document(file, file.name) if text is None else None
    if document is not None:
        text = joined(document.blocks)
    action = chosen("summarise", fields, len(text or ""))
    said: list[str] = []
    async with contextlib.AsyncExitStack() as stack:
        reader = await reader_for(stack, model, url, action)
        async with contextlib.aclosing(act(reader, action, text or "")) as answer:
            async for piece in answer:
                said.append(piece.text)
                if output is None:
                    typer.echo(piece.text, nl=False)
    if output is None:
        typer.echo()
        return
    title = (document.title if document else "") or file.stem
    write_atomic(output, _file(output.suffix, title, "".join(said).strip()))
    typer.echo(f"{output}: {len(''.join(said).split())} words about {file.name}")


def _file(kind: str, title: str, text: str) -> bytes:
    if kind != ".docx":
        return (f"# {title}\n\n{text}\n" if kind == ".md" else f"{text}\n").encode()
    from docx import Document

    document, data = Document(), io.BytesIO()
    document.add_heading(title, 1)
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith(("- ", "* ")):
            document.add_paragraph(line[2:], "List Bullet")
        else:
            document.add_paragraph(line)
    document.save(data)
    return data.getvalue()
