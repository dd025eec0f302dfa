"""`archipel lsp` as an editor has it: a process, asked through pytest-lsp's client."""

import ast
import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsprotocol import types
from pytest_lsp import LanguageClient, client_capabilities, make_test_lsp_client

from tests.serve.scripted import ScriptedService, scripted

__all__ = ["scripted"]

CODE = "def total(prices):\n    \n\n\nprint(total([1]))\n"
GAP = types.Position(1, 4)


@dataclass
class Editor:
    """An editor with one file open."""

    client: LanguageClient
    uri: str
    edits: list[types.WorkspaceEdit] = field(default_factory=list)

    @property
    def document(self) -> types.TextDocumentIdentifier:
        return types.TextDocumentIdentifier(self.uri)

    async def suggestion(self, at: types.Position = GAP) -> list[str]:
        context = types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic)
        asked = types.InlineCompletionParams(context, self.document, at)
        found = await self.client.text_document_inline_completion_async(asked)
        assert isinstance(found, types.InlineCompletionList)
        return [str(item.insert_text) for item in found.items]

    async def act(self, title: str, *lines: int) -> None:
        """Choose lines and an entry of the menu."""
        chosen = types.Range(types.Position(lines[0], 0), types.Position(lines[1], 0))
        context = types.CodeActionContext([])
        asked = types.CodeActionParams(self.document, chosen, context)
        found = await self.client.text_document_code_action_async(asked)
        [entry] = [one for one in found or () if one.title == f"Archipel: {title}"]
        # lsprotocol reads an action as a command whose name is the real command, written out.
        command = ast.literal_eval(str(entry.command))
        await self.client.workspace_execute_command_async(
            types.ExecuteCommandParams(command=command["command"], arguments=command["arguments"])
        )

    @property
    def messages(self) -> list[str]:
        return [one.message for one in self.client.messages]

    async def change(self, text: str, version: int) -> None:
        """Until the server has heard of it: it answers in order."""
        identifier = types.VersionedTextDocumentIdentifier(version, self.uri)
        whole = types.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(identifier, [whole]))
        start = types.Range(types.Position(0, 0), types.Position(0, 0))
        asked = types.CodeActionParams(self.document, start, types.CodeActionContext([]))
        await self.client.text_document_code_action_async(asked)


@asynccontextmanager
async def editor(url: str, folder: Path, *options: str, code: str = CODE) -> AsyncIterator[Editor]:
    async with started(["-m", "archipel", "lsp", "--url", url, *options], folder, code) as opened:
        yield opened


@asynccontextmanager
async def started(server: Sequence[str], folder: Path, code: str = CODE) -> AsyncIterator[Editor]:
    """An editor over a server that is written in Python."""
    client = make_test_lsp_client()
    await client.start_io(sys.executable, *server)
    path = folder / "shop.py"
    path.write_text(code)
    opened = Editor(client, path.as_uri())

    @client.feature(types.WORKSPACE_APPLY_EDIT)
    def apply(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
        opened.edits.append(params.edit)
        return types.ApplyWorkspaceEditResult(applied=True)

    capabilities = client_capabilities("neovim@0.11.0")
    await client.initialize_session(
        types.InitializeParams(capabilities=capabilities, root_uri=folder.as_uri())
    )
    item = types.TextDocumentItem(opened.uri, "python", 1, code)
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    yield opened
    await client.shutdown_session()
    await client.stop()


async def asked(scripted: ScriptedService) -> dict[str, Any]:
    return await asyncio.to_thread(scripted.asked)


def told(scripted: ScriptedService, text: str) -> None:
    scripted.say(text)
    scripted.finish()


def test_a_suggestion_is_of_the_text_around_the_cursor(
    scripted: ScriptedService, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with editor(scripted.url, tmp_path, "--model", "reef") as opened:
            waiting = asyncio.create_task(opened.suggestion())
            request = await asked(scripted)
            assert request["model"] == "reef"
            assert request["prompt"] == "def total(prices):\n    "
            assert request["suffix"] == "\n\n\nprint(total([1]))\n"
            scripted.write("return sum(prices)\nprint(2)\n")
            assert await waiting == ["return sum(prices)"]

    asyncio.run(scenario())


def test_editors_without_inline_completion_get_it_in_their_list(
    scripted: ScriptedService, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with editor(scripted.url, tmp_path, "--model", "reef") as opened:
            params = types.CompletionParams(opened.document, GAP)
            waiting = asyncio.create_task(opened.client.text_document_completion_async(params))
            await asked(scripted)
            scripted.write("return sum(prices)")
            found = await waiting
            assert isinstance(found, types.CompletionList)
            assert isinstance(found.items[0].text_edit, types.TextEdit)
            assert found.items[0].text_edit.new_text == "return sum(prices)"

    asyncio.run(scenario())


def test_what_the_file_imports_from_the_project_is_told_by_its_signatures(
    scripted: ScriptedService, tmp_path: Path
) -> None:
    (tmp_path / "tax.py").write_text('def rate(country: str) -> float:\n    """In percent."""\n')
    code = "from tax import rate\n\nx = \n"

    async def scenario() -> None:
        async with editor(scripted.url, tmp_path, "--model", "reef", code=code) as opened:
            waiting = asyncio.create_task(opened.suggestion(types.Position(2, 4)))
            request = await asked(scripted)
            assert request["prompt"].startswith(
                "# tax.py\ndef rate(country: str) -> float:  # In percent.\n"
            )
            assert request["prompt"].endswith("\n\nx = ")
            scripted.write("")
            assert await waiting == []

    asyncio.run(scenario())


def test_a_cancelled_or_overtaken_question_is_given_up_at_the_service(
    scripted: ScriptedService, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with editor(scripted.url, tmp_path, "--model", "reef") as opened:
            first = asyncio.create_task(opened.suggestion())
            await asked(scripted)
            second = asyncio.create_task(opened.suggestion())
            assert await first == []
            assert await asyncio.to_thread(scripted.client_left.wait, 20)
            await asked(scripted)
            scripted.write("return 0")
            assert await second == ["return 0"]

    asyncio.run(scenario())


def test_a_model_is_stopped_where_the_block_ends(scripted: ScriptedService, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with editor(scripted.url, tmp_path, "--model", "reef") as opened:
            waiting = asyncio.create_task(opened.suggestion())
            await asked(scripted)
            for piece in ("return sum(", "prices)\n", "print"):
                chunk = {"choices": [{"index": 0, "text": piece, "finish_reason": None}]}
                scripted.send(f"data: {json.dumps(chunk)}\n\n".encode())
            assert await waiting == ["return sum(prices)"]
            assert await asyncio.to_thread(scripted.client_left.wait, 20)

    asyncio.run(scenario())


def test_a_model_on_this_machine_is_given_what_it_reads_in_time(
    scripted: ScriptedService, tmp_path: Path
) -> None:
    """One elsewhere is given more at once."""
    code = "".join(f"line_{number:04} = {number}\n" for number in range(2000))
    scripted.listed = [
        {"id": "here", "abilities": ["fill"], "place": "machine"},
        {"id": "far", "abilities": ["fill"], "place": "supplier"},
    ]

    async def given(*options: str) -> list[int]:
        lengths = []
        async with editor(scripted.url, tmp_path, *options, code=code) as opened:
            for line in (900, 1900):
                waiting = asyncio.create_task(opened.suggestion(types.Position(line, 0)))
                lengths.append(len((await asked(scripted))["prompt"]))
                scripted.write("x = 1\ny")
                await waiting
        return lengths

    first, second = asyncio.run(given())
    assert first < 2000 < 6000 < second  # it answered at once
    assert min(asyncio.run(given("--model", "far"))) > 6000


def test_a_key_that_may_not_list_models_may_ask_one(
    scripted: ScriptedService, tmp_path: Path
) -> None:
    scripted.may_list = False

    async def scenario() -> None:
        async with editor(scripted.url, tmp_path, "--model", "reef") as opened:
            waiting = asyncio.create_task(opened.suggestion())
            assert (await asked(scripted))["model"] == "reef"
            scripted.write("return 0")
            assert await waiting == ["return 0"]

    asyncio.run(scenario())


def test_a_position_behind_the_end_is_the_end(scripted: ScriptedService, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with editor(scripted.url, tmp_path, "--model", "reef") as opened:
            waiting = asyncio.create_task(opened.suggestion(types.Position(400, 7)))
            assert (await asked(scripted))["prompt"] == CODE
            scripted.write("x = 1")
            assert await waiting == ["x = 1"]

    asyncio.run(scenario())


def test_code_is_repaired_in_its_place(scripted: ScriptedService, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with editor(scripted.url, tmp_path) as opened:
            waiting = asyncio.create_task(opened.act("Repair", 0, 2))
            request = await asked(scripted)
            assert "def total(prices):" in request["messages"][0]["content"]
            assert "print(total" not in request["messages"][0]["content"]
            told(scripted, "Here:\n```python\ndef total(prices):\n    return sum(prices)\n```\n")
            await waiting
            [edit] = opened.edits
            assert edit.document_changes
            [change] = edit.document_changes
            assert isinstance(change, types.TextDocumentEdit)
            [replaced] = change.edits
            assert isinstance(replaced, types.TextEdit)
            assert replaced.new_text == "def total(prices):\n    return sum(prices)\n"
            assert replaced.range == types.Range(types.Position(0, 0), types.Position(2, 0))
            assert change.text_document.version == 1

    asyncio.run(scenario())


def test_an_answer_to_code_that_was_changed_meanwhile_changes_nothing(
    scripted: ScriptedService, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with editor(scripted.url, tmp_path) as opened:
            waiting = asyncio.create_task(opened.act("Optimise", 0, 2))
            await asked(scripted)
            await opened.change("x = 1\n", 2)
            told(scripted, "```python\nreturn 1\n```")
            await waiting
            assert opened.edits == []
            assert "changed meanwhile" in opened.messages[-1]

    asyncio.run(scenario())


def test_code_is_explained_and_tests_are_a_file_of_their_own(
    scripted: ScriptedService, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with editor(scripted.url, tmp_path) as opened:
            waiting = asyncio.create_task(opened.act("Explain", 0, 2))
            await asked(scripted)
            told(scripted, "It adds prices.")
            await waiting
            assert opened.messages[-1] == "It adds prices."
            waiting = asyncio.create_task(opened.act("Write tests", 0, 2))
            await asked(scripted)
            told(scripted, "```python\ndef test_total():\n    assert total([1]) == 1\n```")
            await waiting
            assert opened.edits[0].document_changes
            create, write = opened.edits[0].document_changes
            assert isinstance(create, types.CreateFile)
            assert create.uri.endswith("/test_shop.py")
            assert isinstance(write, types.TextDocumentEdit)

    asyncio.run(scenario())


def test_a_service_that_is_not_there_is_told_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with editor("http://127.0.0.1:9/v1", tmp_path) as opened:
            assert await opened.suggestion() == []
            assert await opened.suggestion() == []
            [message] = opened.messages
            assert "127.0.0.1:9" in message

    asyncio.run(scenario())


def test_the_service_stops_when_the_editor_kills_the_server(
    scripted: ScriptedService, tmp_path: Path
) -> None:
    async def scenario() -> int:
        command = ["-m", "archipel", "lsp", "--url", scripted.url, "--model", "reef"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdin
        for message in _opening(tmp_path):
            data = json.dumps({"jsonrpc": "2.0", **message}).encode()
            process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(data), data))
        await asked(scripted)
        os.kill(process.pid, signal.SIGKILL)
        assert await asyncio.to_thread(scripted.client_left.wait, 20)
        return await process.wait()

    assert asyncio.run(scenario()) == -signal.SIGKILL


def _opening(folder: Path) -> list[dict[str, Any]]:
    uri = (folder / "shop.py").as_uri()
    document = {"uri": uri, "languageId": "python", "version": 1, "text": CODE}
    place = {"textDocument": {"uri": uri}, "position": {"line": 1, "character": 4}}
    context = {"context": {"triggerKind": 1}}
    about = {"capabilities": {}, "processId": None, "rootUri": folder.as_uri()}
    return [
        {"id": 1, "method": "initialize", "params": about},
        {"method": "initialized", "params": {}},
        {"method": "textDocument/didOpen", "params": {"textDocument": document}},
        {"id": 2, "method": "textDocument/inlineCompletion", "params": {**place, **context}},
    ]
