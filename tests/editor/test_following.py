"""What the language server counts of its suggestions, as a process asked by an editor."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from lsprotocol import types
from typer.testing import CliRunner

from archipel.cli.main import app
from archipel.editor.counts import Counts, Sum
from tests.editor.test_lsp import CODE, GAP, Editor, asked, editor, started
from tests.serve.scripted import ScriptedService, scripted

__all__ = ["scripted"]

DAY = "2026-11-29"
TEXT = "return sum(prices)"
SERVER = """
import asyncio
import sys
from pathlib import Path

from archipel.chat import ChatService
from archipel.editor.counts import Counts
from archipel.editor.server import Wishes, make_server

url, folder = sys.argv[1], Path(sys.argv[2])


async def wait(seconds):
    assert seconds == 60
    while not (folder / "a minute later").exists():
        await asyncio.sleep(0.01)


counts = Counts(folder / "editor.db")
make_server(ChatService(url), Wishes("reef"), counts, wait, lambda: "2026-11-29").start_io()
"""


@asynccontextmanager
async def followed(scripted: ScriptedService, folder: Path) -> AsyncIterator[Editor]:
    """An editor whose server's minutes pass when the test says so."""
    (folder / "server.py").write_text(SERVER)
    server = [str(folder / "server.py"), scripted.url, str(folder)]
    async with started(server, folder) as opened:
        yield opened


async def shown(opened: Editor, scripted: ScriptedService, at: types.Position = GAP) -> str:
    """Have `TEXT` suggested; gives the name by which it is accepted."""
    context = types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic)
    params = types.InlineCompletionParams(context, opened.document, at)
    waiting = asyncio.create_task(opened.client.text_document_inline_completion_async(params))
    await asked(scripted)
    scripted.write(TEXT)
    found = await waiting
    assert isinstance(found, types.InlineCompletionList)
    [item] = found.items
    assert item.command
    assert item.command.command == "archipel.accepted"
    [name] = item.command.arguments or ()
    return str(name)


async def insert(opened: Editor, version: int, line: int, text: str) -> None:
    """Type a text at the end of a line's indentation, or at the beginning of line 0."""
    place = types.Position(line, 4 if line else 0)
    change = types.TextDocumentContentChangePartial(types.Range(place, place), text)
    identifier = types.VersionedTextDocumentIdentifier(version, opened.uri)
    changed = types.DidChangeTextDocumentParams(identifier, [change])
    opened.client.text_document_did_change(changed)


async def accept(opened: Editor, name: str) -> None:
    await opened.client.workspace_execute_command_async(
        types.ExecuteCommandParams(command="archipel.accepted", arguments=[name])
    )


async def counted(folder: Path, wanted: Callable[[Sum], bool]) -> Sum:
    """The only day's numbers as soon as they are as wanted."""
    until = time.monotonic() + 20
    while True:
        sums = Counts(folder / "editor.db").sums("day")
        if sums and wanted(sums[0]):
            return sums[0]
        assert time.monotonic() < until, sums
        await asyncio.sleep(0.01)


def totals(folder: Path) -> list[Sum]:
    return list(Counts(folder / "editor.db").sums("day"))


def test_what_is_shown_and_not_accepted_is_counted_as_that(
    scripted: ScriptedService, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with followed(scripted, tmp_path) as opened:
            await shown(opened, scripted)
            await shown(opened, scripted)

    asyncio.run(scenario())
    assert totals(tmp_path) == [Sum(DAY, 2, 0, 0)]
    assert Counts(tmp_path / "editor.db").sums("language") == [Sum("python", 2, 0, 0)]
    assert Counts(tmp_path / "editor.db").sums("model") == [Sum("reef", 2, 0, 0)]


def test_what_is_accepted_and_still_there_a_minute_later_is_kept(
    scripted: ScriptedService, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with followed(scripted, tmp_path) as opened:
            name = await shown(opened, scripted)
            await insert(opened, 2, 1, TEXT)
            await accept(opened, name)
            await insert(opened, 3, 0, "import this\n" * 40)  # above it
            assert await counted(tmp_path, lambda one: one.accepted == 1) == Sum(DAY, 1, 1, 0)
            (tmp_path / "a minute later").touch()
            assert await counted(tmp_path, lambda one: one.kept == 1) == Sum(DAY, 1, 1, 1)

    asyncio.run(scenario())
    assert totals(tmp_path) == [Sum(DAY, 1, 1, 1)]  # and is not looked at again at the end


def test_what_was_written_anew_is_not_kept(scripted: ScriptedService, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with followed(scripted, tmp_path) as opened:
            name = await shown(opened, scripted)
            await accept(opened, name)
            await opened.change(CODE.replace("    \n", "    raise NotImplementedError\n"), 2)

    asyncio.run(scenario())
    assert totals(tmp_path) == [Sum(DAY, 1, 1, 0)]


def test_when_the_editor_ends_sooner_it_is_looked_at_then(
    scripted: ScriptedService, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with followed(scripted, tmp_path) as opened:
            name = await shown(opened, scripted)
            await insert(opened, 2, 1, TEXT)
            await accept(opened, name)

    asyncio.run(scenario())
    assert totals(tmp_path) == [Sum(DAY, 1, 1, 1)]


def test_one_is_accepted_once_and_an_unknown_one_never(
    scripted: ScriptedService, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with followed(scripted, tmp_path) as opened:
            name = await shown(opened, scripted)
            for each in (name, name, "none of ours"):
                await accept(opened, each)

    asyncio.run(scenario())
    assert totals(tmp_path) == [Sum(DAY, 1, 1, 0)]


def test_nothing_of_the_code_is_in_the_file(scripted: ScriptedService, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with followed(scripted, tmp_path) as opened:
            await accept(opened, await shown(opened, scripted))

    asyncio.run(scenario())
    written = (tmp_path / "editor.db").read_bytes()
    assert b"reef" in written
    assert not any(word in written for word in (b"prices", b"return", b"shop"))


def test_the_command_shows_the_numbers(
    scripted: ScriptedService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHIPEL_HOME", str(tmp_path / "home"))

    async def scenario() -> None:
        async with editor(scripted.url, tmp_path, "--model", "reef") as opened:
            await accept(opened, await shown(opened, scripted))
            await shown(opened, scripted)

    asyncio.run(scenario())
    shown_table = CliRunner().invoke(app, ["lsp", "stats", "--by", "language"]).output
    heads, row = shown_table.splitlines()
    assert heads.split() == [
        "language",
        "shown",
        "accepted",
        "of",
        "shown",
        "kept",
        "of",
        "accepted",
    ]
    assert row.split() == ["python", "2", "1", "50%", "0", "0%"]


def test_numbers_that_can_not_be_written_take_no_suggestion_away(
    scripted: ScriptedService, tmp_path: Path
) -> None:
    (tmp_path / "editor.db").mkdir()

    async def scenario() -> list[str]:
        async with followed(scripted, tmp_path) as opened:
            await shown(opened, scripted)
            await shown(opened, scripted)
            return opened.messages

    [message] = asyncio.run(scenario())
    assert "editor.db" in message
