"""The server between an editor, over standard input and output, and a service, over HTTP.

Suggestions are asked of a model that fills gaps, the rest of one that converses. What is asked for
again before it is answered is not waited for: the service stops.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from archipel import __version__
from archipel.chat import ChatService, ServiceError
from archipel.editor.actions import ACTS, Kind, code_in, name_of_tests, question
from archipel.editor.counts import Counts
from archipel.editor.following import Following, Suggestion, Wait
from archipel.editor.project import nearby
from archipel.editor.reading import Reading, room_of
from archipel.editor.suggestion import around, is_whole, shaped
from archipel.errors import ArchipelError

_CODE_CHARACTERS = 20_000  # that one action takes
_ACCEPTED = "archipel.accepted"

# Of a file, its text and room for so many characters: names and signatures.
Near = Callable[[Path, str, int], list[tuple[str, str]]]


@dataclass(frozen=True)
class Wishes:
    """What the person asked for: models by name, else the service's first that can; how long a
    suggestion may be, and how long it may take."""

    fill_model: str | None = None
    chat_model: str | None = None
    tokens: int = 64
    seconds: float = 5.0


@dataclass
class Helper:
    """Asks the service; `models` are its own words about its models, once they are known."""

    service: ChatService
    wishes: Wishes
    models: list[dict[str, Any]] = field(default_factory=list)
    readings: dict[str, Reading] = field(default_factory=dict)  # by model, of those on this machine
    asking: dict[str, asyncio.Task[Suggestion]] = field(default_factory=dict)  # by document

    async def suggest(
        self, document: TextDocument, position: types.Position, near: Near
    ) -> Suggestion | None:
        """What belongs at a position; None where nothing does, or a newer question came.

        Raises:
            ServiceError: the service can't be reached, or has no model for it.
        """
        task = asyncio.create_task(self._suggest(document, position, near))
        if older := self.asking.get(document.uri):
            older.cancel()
        self.asking[document.uri] = task
        try:
            async with asyncio.timeout(self.wishes.seconds):
                suggestion = await task
            return suggestion if suggestion.text else None
        except TimeoutError:
            return None
        except asyncio.CancelledError:
            asked = asyncio.current_task()
            if asked and asked.cancelling():
                raise  # by the editor
            return None  # for a newer question
        finally:
            if self.asking.get(document.uri) is task:
                del self.asking[document.uri]

    async def _suggest(
        self, document: TextDocument, position: types.Position, near: Near
    ) -> Suggestion:
        model = await self.model("fill", self.wishes.fill_model)
        told_of = await self._told_of(model)
        is_here = told_of.get("place") == "machine"
        reading = self.readings.setdefault(model, Reading()) if is_here else None
        room = room_of(reading, told_of.get("context_length"), self.wishes.tokens)
        source, at = document.source, document.offset_at_position(position)
        before, behind = around(source, at, room.before, room.behind)
        told = await asyncio.to_thread(near, Path(document.path), source, room.told)
        context = "".join(f"# {name}\n{text}\n\n" for name, text in told)
        text = await self._filled(model, context + before, behind, reading)
        shown = shaped(text, before, behind)
        return Suggestion(shown, model, document.uri, document.language_id or "", position.line)

    async def _filled(self, model: str, before: str, behind: str, reading: Reading | None) -> str:
        """What the model writes into the gap, until more would change nothing."""
        clock, text = asyncio.get_running_loop().time, ""
        began, first = clock(), None
        stream = self.service.stream_completion(
            model, before, suffix=behind, max_tokens=self.wishes.tokens, temperature=0
        )
        try:
            async with contextlib.aclosing(stream) as deltas:
                async for delta in deltas:
                    first = first or (clock() if delta.text else None)
                    text += delta.text
                    if is_whole(text, before, behind):
                        break
        finally:
            if reading:
                seconds = (first or clock()) - began
                reading.took(before, behind, seconds, came=first is not None)
        return text

    async def answer(self, kind: Kind, code: str, language: str, name: str) -> str:
        """A model's answer about a piece of code.

        Raises:
            ServiceError: as `suggest`, or the answer broke off.
        """
        model = await self.model("chat", self.wishes.chat_model)
        asked = question(kind, code, language, name)
        return "".join([delta.text async for delta in self.service.stream_chat(asked, model)])

    async def model(self, ability: str, wished: str | None) -> str:
        """The model to ask: the one that was wished for, or else the first with the ability."""
        if wished:
            return wished
        if not self.models:
            self.models = await self.service.models()
        for model in self.models:
            told = model.get("abilities")
            if ability in told if told is not None else ability == "chat":
                return str(model["id"])
        self.models = []  # it may be served by the next time
        words = {"fill": "fills gaps in code", "chat": "converses"}
        raise ServiceError(
            f"{self.service.url} has no model that {words[ability]}. Serve one, or name one with "
            f"--{'model' if ability == 'fill' else 'chat-model'}."
        )

    async def _told_of(self, model: str) -> dict[str, Any]:
        """What the service says of a model: nothing, where a key may ask it and not list it."""
        if not self.models:
            try:
                self.models = await self.service.models()
            except ServiceError as error:
                if error.status is None:
                    raise
                self.models = [{"id": model, "abilities": []}]
        return next((one for one in self.models if one["id"] == model), {})


def make_server(
    service: ChatService, wishes: Wishes, counts: Counts, wait: Wait, today: Callable[[], str]
) -> LanguageServer:
    """The server, ready to be started over standard input and output. What becomes of suggestions
    is in `counts`, by the day that `today` tells."""
    server, helper = LanguageServer("archipel", __version__), Helper(service, wishes)
    warned: set[str] = set()

    def warn(error: ArchipelError) -> None:
        """Once for each message: a request is sent at every key."""
        if str(error) not in warned:
            warned.add(str(error))
            _show(server, types.MessageType.Warning, str(error))

    def source(uri: str) -> str:
        return server.workspace.get_text_document(uri).source

    following = Following(counts, source, wait, today, warn)

    _offer_suggestions(server, helper, following, warn)
    _follow(server, following)
    _offer_actions(server, helper)
    return server


def _offer_suggestions(
    server: LanguageServer,
    helper: Helper,
    following: Following,
    warn: Callable[[ArchipelError], None],
) -> None:
    async def suggested(uri: str, position: types.Position) -> tuple[str, types.Command] | None:
        """A text, and the command by which the editor tells that it was accepted."""
        try:
            document = server.workspace.get_text_document(uri)
            suggestion = await helper.suggest(document, position, _near(server))
        except ServiceError as error:
            warn(error)
            return None
        if suggestion is None:
            return None
        name = await following.shown(suggestion)
        return suggestion.text, types.Command("Accepted", _ACCEPTED, arguments=[name])

    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION)
    async def inline(params: types.InlineCompletionParams) -> types.InlineCompletionList:
        found = await suggested(params.text_document.uri, params.position)
        here = types.Range(params.position, params.position)
        items = [types.InlineCompletionItem(found[0], None, here, found[1])] if found else []
        return types.InlineCompletionList(items=items)

    @server.feature(types.TEXT_DOCUMENT_COMPLETION)
    async def complete(params: types.CompletionParams) -> types.CompletionList:
        found = await suggested(params.text_document.uri, params.position)
        items = [_item(*found, params.position)] if found else []
        return types.CompletionList(is_incomplete=True, items=items)


def _offer_actions(server: LanguageServer, helper: Helper) -> None:
    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(
            code_action_kinds=[types.CodeActionKind.RefactorRewrite, types.CodeActionKind.QuickFix]
        ),
    )
    def actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        where = types.Location(params.text_document.uri, params.range)
        return [_action(kind, where) for kind in ACTS]

    for kind in ACTS:
        server.command(f"archipel.{kind}")(_command(server, helper, kind))


def _follow(server: LanguageServer, following: Following) -> None:
    """Hear what becomes of suggestions."""

    @server.command(_ACCEPTED)
    async def accepted(name: str) -> None:
        await following.accepted(name)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeTextDocumentParams) -> None:
        following.changed(params.text_document.uri, params.content_changes)

    @server.feature(types.SHUTDOWN)
    async def shut_down(_: None) -> None:
        await following.close()


def _command(server: LanguageServer, helper: Helper, kind: Kind) -> Any:
    async def run(where: types.Location) -> None:
        document = server.workspace.get_text_document(where.uri)
        version, chosen = document.version, _whole_lines(document, where.range)
        code = document.text_in_client_range(chosen)
        if not code.strip() or len(code) > _CODE_CHARACTERS:
            said = f"Choose a piece of code of at most {_CODE_CHARACTERS:,} characters."
            return _show(server, types.MessageType.Warning, said)
        name = document.filename or "code"
        try:
            answer = await helper.answer(kind, code, document.language_id or "", name)
        except ServiceError as error:
            return _show(server, types.MessageType.Error, str(error))
        if ACTS[kind].goes == "shown":
            return _show(server, types.MessageType.Info, answer.strip())
        found = code_in(answer, code)
        if found is None:
            said = f"The model answered without code: {answer.strip()[:500]}"
            return _show(server, types.MessageType.Warning, said)
        if document.version != version:
            said = "The text was changed meanwhile, and is left as it is. Ask again."
            return _show(server, types.MessageType.Warning, said)
        edit = (
            _beside(document, found)
            if ACTS[kind].goes == "beside"
            else _instead(document, chosen, found)
        )
        await server.workspace_apply_edit_async(
            types.ApplyWorkspaceEditParams(edit, label=f"Archipel: {ACTS[kind].title}")
        )

    return run


def _show(server: LanguageServer, kind: types.MessageType, message: str) -> None:
    server.window_show_message(types.ShowMessageParams(kind, message))


def _near(server: LanguageServer) -> Near:
    """What stands near a file of the editor's project, as its open files are now."""
    root = Path(server.workspace.root_path or ".")
    documents = list(server.workspace.text_documents.values())
    opened = {Path(one.path): one.source for one in documents}
    return lambda path, source, room: nearby(path, source, root, opened, room)


def _item(text: str, accepted: types.Command, position: types.Position) -> types.CompletionItem:
    """A suggestion for an editor that knows lists of words only."""
    first = text.strip().partition("\n")[0]
    return types.CompletionItem(
        label=first[:80],
        kind=types.CompletionItemKind.Snippet,
        detail="Archipel",
        documentation=types.MarkupContent(types.MarkupKind.PlainText, text),
        filter_text=" ",
        text_edit=types.TextEdit(types.Range(position, position), text),
        insert_text_format=types.InsertTextFormat.PlainText,
        command=accepted,
    )


def _action(kind: Kind, where: types.Location) -> types.CodeAction:
    act = ACTS[kind]
    title = f"Archipel: {act.title}"
    is_fix = kind == "repair"
    return types.CodeAction(
        title=title,
        kind=types.CodeActionKind.QuickFix if is_fix else types.CodeActionKind.RefactorRewrite,
        command=types.Command(title=title, command=f"archipel.{kind}", arguments=[where]),
    )


def _whole_lines(document: TextDocument, chosen: types.Range) -> types.Range:
    """The lines that a choice touches; without a choice, all."""
    lines: Sequence[str] = document.lines
    last = len(lines)
    if chosen.start == chosen.end:
        return types.Range(types.Position(0, 0), types.Position(last, 0))
    end = chosen.end.line + (chosen.end.character > 0)
    return types.Range(
        types.Position(min(chosen.start.line, last), 0), types.Position(min(end, last), 0)
    )


def _instead(document: TextDocument, where: types.Range, text: str) -> types.WorkspaceEdit:
    identifier = types.OptionalVersionedTextDocumentIdentifier(
        uri=document.uri, version=document.version
    )
    edit = types.TextDocumentEdit(identifier, [types.TextEdit(where, text)])
    return types.WorkspaceEdit(document_changes=[edit])


def _beside(document: TextDocument, text: str) -> types.WorkspaceEdit:
    """A new file in the folder of the document; one that is there is not touched."""
    folder, _, name = document.uri.rpartition("/")
    uri = f"{folder}/{name_of_tests(name)}"
    start = types.Position(0, 0)
    options = types.CreateFileOptions(overwrite=False, ignore_if_exists=False)
    identifier = types.OptionalVersionedTextDocumentIdentifier(uri=uri)
    edit = types.TextDocumentEdit(identifier, [types.TextEdit(types.Range(start, start), text)])
    return types.WorkspaceEdit(document_changes=[types.CreateFile(uri, options=options), edit])
